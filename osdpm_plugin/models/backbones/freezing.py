"""Freezing a tower whole or in part, in the one way that all towers of this plugin share."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Optional, Union

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from ...errors import ConfigError

_AUTOCAST = {'fp32': None, 'bf16': torch.bfloat16, 'fp16': torch.float16}


class FreezableTower(BaseModule):
    """A tower with weights of its own that can be frozen whole (``frozen``) or up to its last blocks.

    - ``frozen=True``: no parameter is trained, the tower stays in eval mode whatever its parent does, and it runs
      under ``torch.no_grad()``.
    - ``freeze_all_but(parts)``: only the named parts are trained. Every module without a trainable parameter stays in
      eval mode, so that neither dropout nor BatchNorm statistics of the frozen part move.

    Freezing only ever switches gradients off: a parameter that a library holds fixed (sine position tables) stays so.

    Args:
        frozen: freeze the whole tower.
        precision: 'fp32' (the ambient autocast, if any, applies), or 'bf16' / 'fp16': the forward pass runs under
            autocast of that type and its floating outputs come back as float32.
        init_cfg: mmengine's initialisation config.

    Raises:
        ConfigError: unknown ``precision``.
    """

    def __init__(
        self, *, frozen: bool = False, precision: str = 'fp32', init_cfg: Union[dict, list, None] = None
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        if precision not in _AUTOCAST:
            raise ConfigError(f'precision={precision!r} of {type(self).__name__} must be one of {sorted(_AUTOCAST)}')
        self.frozen = frozen
        self.precision = precision
        self._partly_frozen = False

    def freeze(self) -> None:
        """Freeze every parameter; to be called once the weights are there."""
        self.frozen = True
        self.requires_grad_(False)
        self.train(self.training)

    def freeze_all_but(self, parts: Iterable[Union[nn.Module, nn.Parameter, None]]) -> None:
        """Freeze every parameter outside ``parts``; Nones are skipped."""
        kept = set()
        for part in parts:
            if isinstance(part, nn.Parameter):
                kept.add(id(part))
            elif part is not None:
                kept.update(id(p) for p in part.parameters())
        for param in self.parameters():
            if id(param) not in kept:
                param.requires_grad_(False)
        self._partly_frozen = True
        self.train(self.training)

    def train(self, mode: bool = True) -> FreezableTower:
        """Set the training mode of what is trained; what is frozen stays in eval mode."""
        super().train(mode and not self.frozen)
        if mode and self._partly_frozen:
            for module in self.modules():
                params = list(module.parameters())
                if params and not any(p.requires_grad for p in params):
                    module.eval()
        return self

    def init_weights(self) -> None:
        """Apply ``init_cfg`` only: the library model inside was initialised, or loaded, when it was built.

        (mmengine calls ``init_weights`` of every child that has one, and that of a `transformers` model draws its
        weights anew.)
        """
        for child in self.children():
            child.is_init = True
        super().init_weights()

    @contextlib.contextmanager
    def running(self, device: torch.device) -> Iterator[None]:
        """The context of a forward pass: no gradients when frozen, autocast when a precision is set."""
        dtype = _AUTOCAST[self.precision]
        with contextlib.ExitStack() as stack:
            if self.frozen:
                stack.enter_context(torch.no_grad())
            if dtype is not None:
                stack.enter_context(torch.autocast(device.type, dtype=dtype))
            yield

    def as_output(self, x: Tensor) -> Tensor:
        """float32 where ``precision`` asks for a lower one inside."""
        return x if self.precision == 'fp32' else x.float()


def check_freezing(
    name: str, *, frozen: bool, keep: Optional[int], keep_name: str, available: int, grad_checkpointing: bool = False
) -> None:
    """Check the options that say what of a tower is trained.

    Args:
        name: class of the tower, for messages.
        frozen: the whole tower is frozen.
        keep: number of last blocks that stay trainable, or None for all.
        keep_name: name of the option that ``keep`` came from.
        available: number of blocks of the tower.
        grad_checkpointing: recompute activations in the backward pass.

    Raises:
        ConfigError: options that contradict each other or ask for more blocks than there are.
    """
    if frozen and keep is not None:
        raise ConfigError(f'{name}: frozen=True and {keep_name}={keep} contradict each other; give one of the two')
    if frozen and grad_checkpointing:
        raise ConfigError(f'{name}: frozen=True has no backward pass to save memory in; remove grad_checkpointing=True')
    if keep is not None and (isinstance(keep, bool) or not isinstance(keep, int) or not 0 <= keep <= available):
        raise ConfigError(
            f'{name}: {keep_name}={keep!r} must be an integer from 0 (final norm and projection only) '
            f'to {available}, the number of blocks of this tower'
        )
