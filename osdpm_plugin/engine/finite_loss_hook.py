"""Hook that stops at a loss or gradient that is not finite, or leaves its batch out."""

from __future__ import annotations

import logging
from functools import wraps
from typing import Any, Literal, Optional, Sequence

import mmengine.dist as dist
import torch
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.optim import OptimWrapper
from torch import Tensor
from torch.distributed.tensor import DTensor

from ..errors import ConfigError, OSDPMError
from ..registry import HOOKS
from ..utils.checks import check_int, check_one_of

COUNT = 'nonfinite_batches'  # a key of the message hub, which checkpoints contain


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Check the loss before the backward pass, and the gradients before the optimizer's step.

    ``on_nonfinite='raise'`` ends the training before the weights change, so that the last checkpoint is a good one.
    ``'skip'`` leaves the batch out: weights, optimizer and statistics of normalisation stay as they were, and the
    schedule continues; gradients accumulated in the same step (``accumulative_counts``) are left out too. All processes
    decide the same. In both cases the message names the batch.

    With `AmpOptimWrapper` the loss scaler handles gradients, since it skips and rescales by itself.

    Args:
        on_nonfinite: ``raise`` or ``skip``.
        max_skips: maximum number of batches to leave out in one training, over all its resumed parts.

    Raises:
        OSDPMError: a loss or gradient is not finite, with 'raise', or with 'skip' after ``max_skips`` batches.
        ConfigError: an argument is out of range, or the optimizer is a dict of several.
    """

    priority = 'VERY_HIGH'

    def __init__(self, *, on_nonfinite: Literal['raise', 'skip'] = 'raise', max_skips: int = 10) -> None:
        self.on_nonfinite = check_one_of('FiniteLossHook', 'on_nonfinite', on_nonfinite, ('raise', 'skip'))
        self.max_skips = check_int('FiniteLossHook', 'max_skips', max_skips, least=0)
        self._batch: Any = None
        self._buffers: list[tuple[Tensor, Tensor]] = []
        self._unguarded: dict[str, Any] = {}  # the optimizer wrapper's own attributes of the replaced names

    def before_train(self, runner: Any) -> None:
        """Wrap the optimizer wrapper's `update_params` and `step` in checks."""
        wrapper = runner.optim_wrapper
        if not isinstance(wrapper, OptimWrapper):
            raise ConfigError('FiniteLossHook supports one optimizer only; leave it out with several optimizers')
        self._unguarded = {name: vars(wrapper).get(name) for name in ('update_params', 'step')}
        update, step = wrapper.update_params, wrapper.step

        @wraps(update)
        def guarded_update(
            loss: Tensor, step_kwargs: Optional[dict] = None, zero_kwargs: Optional[dict] = None
        ) -> None:
            if _on_all(bool(torch.isfinite(loss.detach()).all())):
                update(loss, step_kwargs, zero_kwargs)
                return
            self._refuse(runner, f'the loss is {loss.detach().float().mean().item()}', loss)
            wrapper._inner_count += 1  # as its backward does
            wrapper.zero_grad()

        @wraps(step)  # keeps the attribute by which a scheduler counts steps
        def guarded_step(**kwargs: Any) -> None:
            if hasattr(wrapper, 'loss_scaler') or _on_all(_finite_gradients(wrapper.optimizer)):
                step(**kwargs)
            else:  # update_params clears the gradients
                self._refuse(runner, 'the loss is finite, but its gradient is not', None)

        wrapper.update_params, wrapper.step = guarded_update, guarded_step

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """Keep the batch, and the buffers that its forward pass may change."""
        self._batch = data_batch
        if self.on_nonfinite == 'skip':
            self._buffers = [(buffer, buffer.clone()) for buffer in runner.model.buffers()]

    def after_train(self, runner: Any) -> None:
        """Restore the optimizer wrapper, and log how many batches were left out."""
        for name, own in self._unguarded.items():
            if own is None:
                delattr(runner.optim_wrapper, name)
            else:
                setattr(runner.optim_wrapper, name, own)
        skipped = runner.message_hub.get_info(COUNT, 0)
        if skipped:
            _warn(f'{skipped} batches were left out of this training, because their loss or gradient was not finite')

    def _refuse(self, runner: Any, what: str, loss: Optional[Tensor]) -> None:
        """Raise, or restore the buffers that the forward pass has changed."""
        guilty = loss is None or not bool(torch.isfinite(loss.detach()).all())
        told = dist.all_gather_object((what, _name_batch(self._batch)) if guilty else None)
        said = '; '.join(
            f'{fault}{f" on rank {rank}" if len(told) > 1 else ""}, batch of {batch}'
            for rank, (fault, batch) in ((rank, one) for rank, one in enumerate(told) if one is not None)
        )
        sentence = f'iteration {runner.iter + 1} of epoch {runner.epoch + 1}: {said}'
        skipped = runner.message_hub.get_info(COUNT, 0) + 1
        if self.on_nonfinite == 'raise':
            raise OSDPMError(
                f'{sentence}; lower the learning rate, clip gradients (optim_wrapper.clip_grad), check these images, '
                "or set FiniteLossHook's on_nonfinite='skip', and continue with --resume"
            )
        if skipped > self.max_skips:
            raise OSDPMError(
                f'{sentence}; {self.max_skips} batches were left out before, which is max_skips of FiniteLossHook: '
                'lower the learning rate and continue with --resume from an earlier checkpoint'
            )
        runner.message_hub.update_info(COUNT, skipped)
        _warn(f'{sentence}; the batch is left out ({skipped} of at most {self.max_skips})')
        with torch.no_grad():
            for buffer, before in self._buffers:
                buffer.copy_(before)


def _finite_gradients(optimizer: torch.optim.Optimizer) -> bool:
    """Whether the norms of all gradients are finite; of split gradients those of this process's parts."""
    gradients = [p.grad for group in optimizer.param_groups for p in group['params'] if p.grad is not None]
    parts = [gradient.to_local() if isinstance(gradient, DTensor) else gradient for gradient in gradients]
    norms = [torch.linalg.vector_norm(part, dtype=torch.float32) for part in parts]
    return not norms or bool(torch.stack(norms).isfinite().all())


def _on_all(good: bool) -> bool:
    """Whether ``good`` is True on every process."""
    if dist.get_world_size() == 1:
        return good
    flag = torch.tensor(float(not good), device=dist.get_comm_device())
    dist.all_reduce(flag, 'max')
    return flag.item() == 0


def _name_batch(batch: Any) -> str:
    """Image ids of a batch, and the first files."""
    samples: Sequence[Any] = batch.get('data_samples', ()) if isinstance(batch, dict) else ()
    ids = [sample.image_id for sample in samples if hasattr(sample, 'image_id')]
    if not ids:
        return 'data without image ids'
    paths = [sample.img_path for sample in samples if hasattr(sample, 'img_path')][:3]
    return f'image ids {", ".join(map(str, ids))} ({", ".join(paths)}{", ..." if len(ids) > 3 else ""})'


def _warn(text: str) -> None:
    print_log(text, logger='current', level=logging.WARNING)
