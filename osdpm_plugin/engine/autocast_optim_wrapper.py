"""An optimizer wrapper for mixed precision on CPUs and GPUs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Optional

import torch
from mmengine.optim import OptimWrapper
from torch import Tensor, nn
from torch.amp import GradScaler
from torch.optim import Optimizer

from ..errors import ConfigError
from ..registry import OPTIM_WRAPPERS
from ..utils.checks import check_number, check_one_of

_DTYPES = dict(bfloat16=torch.bfloat16, float16=torch.float16)


@OPTIM_WRAPPERS.register_module()
class AutocastOptimWrapper(OptimWrapper):
    """Like `mmengine.optim.AmpOptimWrapper`, but for CPUs too.

    The forward pass runs under `torch.autocast` for the device of the model. Weights, gradients and optimizer stay
    float32, and so do the logits of this plugin's losses. With float16 the loss is scaled, and a step whose gradients
    overflow is left out; bfloat16 has the range of float32 and needs neither.

    Args:
        dtype: ``bfloat16`` or ``float16``.
        loss_scale: first scale of the dynamic loss scaling of float16, a power of two; None: torch's 65536. Not for
            bfloat16.
        clip_grad: see `OptimWrapper`; gradients are clipped after they are scaled back.

    Attributes:
        loss_scaler: of float16 only.

    Raises:
        ConfigError: ``dtype`` is unknown, or ``loss_scale`` is not positive, or it is given for bfloat16.
    """

    loss_scaler: GradScaler

    def __init__(
        self,
        *,
        optimizer: Optimizer,
        dtype: str = 'bfloat16',
        loss_scale: Optional[float] = None,
        accumulative_counts: int = 1,
        clip_grad: Optional[dict] = None,
    ) -> None:
        clip_grad = None if clip_grad is None else dict(clip_grad)  # mmengine takes its type out
        super().__init__(optimizer, accumulative_counts=accumulative_counts, clip_grad=clip_grad)
        self.dtype = _DTYPES[check_one_of('optim_wrapper', 'dtype', dtype, _DTYPES)]
        if loss_scale is not None and dtype != 'float16':
            raise ConfigError(f'optim_wrapper: loss_scale is for float16 only, got {loss_scale} with {dtype}')
        if loss_scale is not None:
            check_number('optim_wrapper', 'loss_scale', loss_scale, above=0)
        if dtype == 'float16':
            device = optimizer.param_groups[0]['params'][0].device.type
            self.loss_scaler = GradScaler(device, init_scale=2.0**16 if loss_scale is None else loss_scale)

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """As `OptimWrapper.optim_context`, under autocast."""
        device = next(model.parameters()).device.type
        with super().optim_context(model), torch.autocast(device, dtype=self.dtype):
            yield

    def backward(self, loss: Tensor, **kwargs: Any) -> None:
        """Differentiate the loss, scaled for float16."""
        scaled = self.loss_scaler.scale(loss) if hasattr(self, 'loss_scaler') else loss
        super().backward(scaled, **kwargs)

    def step(self, **kwargs: Any) -> None:
        """Clip and update; for float16 leave out a step whose gradients overflow, and adapt the scale."""
        if not hasattr(self, 'loss_scaler'):
            super().step(**kwargs)
            return
        if self.clip_grad_kwargs:
            self.loss_scaler.unscale_(self.optimizer)
            self._clip_grad()
        self.loss_scaler.step(self.optimizer, **kwargs)
        self.loss_scaler.update()

    def state_dict(self) -> dict:
        """As `OptimWrapper.state_dict`, with the scale of the loss."""
        state = super().state_dict()
        if hasattr(self, 'loss_scaler'):
            state['loss_scaler'] = self.loss_scaler.state_dict()
        return state

    def load_state_dict(self, state_dict: dict) -> None:
        """As `OptimWrapper.load_state_dict`; without a saved scale the loss scaling starts at its first scale."""
        state = dict(state_dict)
        scale = state.pop('loss_scaler', None)
        if scale and hasattr(self, 'loss_scaler'):
            self.loss_scaler.load_state_dict(scale)
        super().load_state_dict(state)
