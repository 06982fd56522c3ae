"""Tensors of all processes -> one tensor, with gradient; the model inside its wrapper."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from mmengine.dist import get_world_size
from mmengine.model import is_model_wrapper
from torch import Tensor, nn


def gather_rows(x: Tensor) -> Tensor:
    """Concatenate the rows of all processes in the order of ranks: (n_r, ...) -> (sum of n_r, ...).

    The number of rows may differ between processes. The gradient of the result flows back to the process that each row
    came from, summed over the processes: with a loss over all rows on every process and DDP's mean over processes, the
    gradients of the parameters equal those of one process with the whole batch.

    Args:
        x: (n_r, ...) of any dtype; trailing shape equal on all processes.
    """
    if get_world_size() == 1:
        return x
    counts = [torch.zeros(1, dtype=torch.int64, device=x.device) for _ in range(get_world_size())]
    dist.all_gather(counts, torch.tensor([x.shape[0]], device=x.device))
    sizes = [int(c) for c in counts]
    padded = torch.cat([x, x.new_zeros(max(sizes) - x.shape[0], *x.shape[1:])])
    parts = _GatherWithGrad.apply(padded) if x.requires_grad else _all_gather(padded)
    return torch.cat([part[:n] for part, n in zip(parts, sizes)])


def max_over_processes(value: int, device: torch.device) -> int:
    """The greatest of the processes' values.

    Args:
        value: of this process.
        device: one that the process group can communicate from.
    """
    if get_world_size() == 1:
        return value
    greatest = torch.tensor(value, device=device)
    dist.all_reduce(greatest, op=dist.ReduceOp.MAX)
    return int(greatest)


def unwrapped(model: nn.Module) -> Any:
    """The model inside `MMDistributedDataParallel` and the like; any other model is returned as it is."""
    return model.module if is_model_wrapper(model) else model


def _all_gather(x: Tensor) -> tuple[Tensor, ...]:
    parts = [torch.empty_like(x) for _ in range(get_world_size())]
    dist.all_gather(parts, x.contiguous())
    return tuple(parts)


class _GatherWithGrad(torch.autograd.Function):
    """all_gather whose backward sums each process's part of the gradient and returns it to that process."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> tuple[Tensor, ...]:
        return _all_gather(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        stacked = torch.stack(grads)  # (world, n, ...)
        dist.all_reduce(stacked)
        return stacked[dist.get_rank()]
