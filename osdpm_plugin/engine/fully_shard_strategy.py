"""A strategy that splits weights, gradients and optimizer states among processes."""

from __future__ import annotations

import time
from typing import Any, Callable, Optional, Sequence

import mmengine
import torch
import torch.distributed as dist
from mmengine._strategy import DDPStrategy
from mmengine.device import get_device
from mmengine.dist import is_main_process
from mmengine.fileio import LocalBackend, get_file_backend
from mmengine.registry import STRATEGIES
from mmengine.runner import save_checkpoint as write_checkpoint
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor

from ..errors import ConfigError


@STRATEGIES.register_module()
class FullyShardStrategy(DDPStrategy):
    """`torch.distributed.fsdp.fully_shard` (FSDP2) for mmengine's FlexibleRunner, on GPUs and on CPUs.

    With P processes, each keeps 1 / P of every parameter, of its gradient and of its optimizer state; parameters are
    gathered module by module when they are needed. mmengine's own FSDPStrategy uses the FSDP of torch 1, which supports
    neither scalar parameters (temperatures) nor CPUs. Here every process keeps scalars whole, and their gradients are
    averaged, as in DDP.

    Checkpoints hold the whole weights under their usual names, so that tools/test.py and every other tool can read
    them; ``--resume`` needs this strategy again, with any number of processes. Not supported: moving averages
    (EMAHook), float16 (for bfloat16 use `AutocastOptimWrapper`), and ``grad_cache_chunk``. A similarity of pairs is
    kept whole, like the scalars, because evaluation calls it directly.

    Args:
        blocks: modules whose children are gathered one at a time, e.g. ``image_tower.visual.transformer.resblocks``;
            parameters outside of them are gathered for the whole pass.
        reshard_after_forward: free gathered parameters until the backward pass needs them: less memory, more
            communication.
        **kwargs: those of mmengine's `BaseStrategy`, set by the runner.

    Raises:
        ConfigError: the model has no module of a name in ``blocks``, or has a ``grad_cache_chunk`` (on use).
    """

    def __init__(self, *, blocks: Sequence[str] = (), reshard_after_forward: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.blocks = tuple(blocks)
        self.reshard_after_forward = reshard_after_forward

    def _wrap_model(self, model: nn.Module) -> nn.Module:
        if getattr(model, 'grad_cache_chunk', None) is not None:
            raise ConfigError(
                'strategy: FullyShardStrategy does not work with model.grad_cache_chunk, with which processes would '
                'gather weights a different number of times; leave one of the two out'
            )
        model = self.convert_model(model.to(get_device()))
        for value in (*model.parameters(), *model.buffers()):
            dist.broadcast(value.data, 0)
        mesh = init_device_mesh(get_device(), (dist.get_world_size(),))
        options: dict[str, Any] = dict(mesh=mesh, reshard_after_forward=self.reshard_after_forward)
        for name in self.blocks:
            try:
                parts = list(model.get_submodule(name).children())
            except AttributeError as error:
                raise ConfigError(f'strategy: blocks names {name!r}, which the model does not have') from error
            for part in parts:
                fully_shard(part, **options)
        similarity = getattr(model, 'similarity', None)
        kept_whole = [p for p in model.parameters() if p.ndim == 0]
        kept_whole += [p for p in similarity.parameters() if p.ndim] if isinstance(similarity, nn.Module) else []
        fully_shard(model, ignored_params=set(kept_whole), **options)
        for param in kept_whole:
            if param.requires_grad:
                param.register_post_accumulate_grad_hook(_average_gradient)
        return model

    def build_optim_wrapper(self, optim_wrapper: Any, model: Optional[nn.Module] = None) -> Any:
        """As mmengine's, but gradients are clipped by their norm over all processes."""
        wrapper = super().build_optim_wrapper(optim_wrapper, model)
        if getattr(wrapper, 'clip_func', None) is torch.nn.utils.clip_grad_norm_:
            wrapper.clip_func = clip_grad_norm
        return wrapper

    def save_checkpoint(
        self,
        filename: str,
        *,
        save_optimizer: bool = True,
        save_param_scheduler: bool = True,
        extra_ckpt: Optional[dict] = None,
        callback: Optional[Callable] = None,
    ) -> None:
        """Gather everything on the main process, which writes the file."""
        options = StateDictOptions(full_state_dict=True, cpu_offload=True)
        checkpoint: dict[str, Any] = dict(state_dict=get_model_state_dict(self.model, options=options))
        if save_optimizer:
            checkpoint['optimizer'] = get_optimizer_state_dict(
                self.model, self.optim_wrapper.optimizer, options=options
            )
        if not is_main_process():
            return
        if save_param_scheduler:
            checkpoint['param_schedulers'] = self.scheduler_state_dict()
        extra = dict(extra_ckpt or {})
        now = time.strftime('%Y%m%d_%H%M%S', time.localtime())
        extra['meta'] = dict(extra.get('meta') or {}, seed=self.seed, time=now, mmengine=mmengine.__version__)
        checkpoint.update(extra)
        if callback is not None:
            callback(checkpoint)
        local = type(get_file_backend(filename)) is LocalBackend
        write_checkpoint(checkpoint, filename, backend_args=dict(backend='atomic_local') if local else None)

    def load_model_state_dict(self, state_dict: dict, *, strict: bool = False, revise_keys: Any = ()) -> None:
        """Split whole weights among the processes.

        Args:
            revise_keys: not used, since names are the usual ones.
        """
        set_model_state_dict(
            self.model, dict(state_dict), options=StateDictOptions(full_state_dict=True, strict=strict)
        )

    def load_optim_state_dict(self, state_dict: dict) -> None:
        """Split whole states of the optimizer among the processes.

        Args:
            state_dict: as `save_checkpoint` saved them, on every process.

        Raises:
            ConfigError: it was saved without this strategy.
        """
        if any(not isinstance(p, str) for group in state_dict['param_groups'] for p in group['params']):
            raise ConfigError(
                'strategy: the checkpoint was saved without FullyShardStrategy and cannot be resumed with it; give it '
                'as load_from, which reads the weights only'
            )
        options = StateDictOptions(full_state_dict=True)
        set_optimizer_state_dict(self.model, self.optim_wrapper.optimizer, state_dict, options=options)


def clip_grad_norm(params: Sequence[nn.Parameter], max_norm: float, norm_type: float = 2.0) -> Tensor:
    """`torch.nn.utils.clip_grad_norm_` for gradients of which some are split among processes.

    Returns:
        the norm before clipping, scalar.
    """
    norms = []
    for p in params:
        norm = torch.linalg.vector_norm(p.grad, norm_type)
        norms.append(norm.full_tensor() if isinstance(norm, DTensor) else norm)
    total = torch.linalg.vector_norm(torch.stack(norms), norm_type)
    factor = (max_norm / (total + 1e-6)).clamp(max=1.0).item()
    for p in params:
        p.grad.mul_(factor)
    return total


def _average_gradient(param: nn.Parameter) -> None:
    dist.all_reduce(param.grad)
    param.grad.div_(dist.get_world_size())
