"""Freezing a tower whole or in part, in the one way that all towers of this plugin share."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Optional, Union

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from ...errors import ConfigError
from ...utils.checks import check_int, check_one_of

Part = Union[nn.Module, nn.Parameter, None]
_AUTOCAST = {'fp32': None, 'bf16': torch.bfloat16, 'fp16': torch.float16}


class FreezableTower(BaseModule):
    """A tower around a library's model, which can be frozen whole (``frozen``) or up to its last blocks.

    - ``frozen=True``: no parameter is trained, the tower stays in eval mode whatever its parent does, and it runs
      under ``torch.no_grad()``.
    - ``set_trainable(keep=n)``: only the last n blocks and what follows them are trained. Every module without a
      trainable parameter stays in eval mode, so that neither dropout nor BatchNorm statistics of the frozen part move.
      There the tower can be cut, see `cutting`.

    Freezing only ever switches gradients off: a parameter that a library holds fixed (sine position tables) stays so.

    Args:
        precision: 'fp32' (the ambient autocast, if any, applies), or 'bf16' / 'fp16': the forward pass runs under
            autocast of that type and its floating outputs come back as float32.

    Attributes:
        pretrained: what `load_pretrained` reads, all weights of the tower; None where it reads nothing.

    Raises:
        ConfigError: unknown ``precision``.
    """

    pretrained: Optional[str] = None

    def __init__(
        self, *, frozen: bool = False, precision: str = 'fp32', init_cfg: Union[dict, list, None] = None
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.frozen = frozen
        self.precision = check_one_of(type(self).__name__, 'precision', precision, _AUTOCAST)
        self.kept_blocks: Optional[int] = None

    def blocks(self) -> list[nn.Module]:
        """The blocks that partial freezing and layer-wise learning rates count, first to last; [] for none to count."""
        raise NotImplementedError

    def after_blocks(self) -> list[Part]:
        """What follows the blocks: norm, projection; Nones are skipped."""
        raise NotImplementedError

    @property
    def cut(self) -> Optional[int]:
        """The number of blocks that stay as they are while later ones are trained; None where nothing or all stays."""
        return None if self.kept_blocks is None else len(self.blocks()) - self.kept_blocks

    def behind_cut(self) -> list[Part]:
        """The blocks that are trained, and what follows them."""
        return [*self.blocks()[self.cut or 0 :], *self.after_blocks()]

    @property
    def label(self) -> str:
        """How messages call the tower: its class, and that of the library's model inside."""
        inner = next(self.children())
        return f'{type(self).__name__} ({type(getattr(inner, "trunk", inner)).__name__})'

    def set_trainable(self, *, keep: Optional[int], keep_name: str, grad_checkpointing: bool) -> None:
        """Check the options that say what is trained, and freeze the rest.

        Args:
            keep: number of last blocks that stay trainable, or None for all.
            keep_name: name of the option that ``keep`` came from.

        Raises:
            ConfigError: options that contradict each other or ask for more blocks than there are.
        """
        name = type(self).__name__
        if self.frozen and keep is not None:
            raise ConfigError(f'{name}: frozen=True and {keep_name}={keep} contradict each other; give one of the two')
        if self.frozen and grad_checkpointing:
            raise ConfigError(
                f'{name}: frozen=True has no backward pass to save memory in; remove grad_checkpointing=True'
            )
        if self.frozen:
            self.requires_grad_(False)
            self.train(self.training)
        elif keep is not None:
            blocks = self.blocks()
            if not blocks:
                raise ConfigError(
                    f'{keep_name} is not supported for {self.label}, which has no list of blocks; use frozen=True or '
                    'train all of it'
                )
            hint = f'this tower has {len(blocks)} blocks, and 0 trains final norm and projection only'
            check_int(name, keep_name, keep, least=0, most=len(blocks), hint=hint)
            kept = parameters_of([*blocks[len(blocks) - keep :], *self.after_blocks()])
            for param in set(self.parameters()) - set(kept):
                param.requires_grad_(False)
            self.kept_blocks = keep
            self.train(self.training)

    def train(self, mode: bool = True) -> FreezableTower:
        """Set the training mode of what is trained; what is frozen stays in eval mode."""
        super().train(mode and not self.frozen)
        if mode and self.kept_blocks is not None:
            for module in self.modules():
                params = list(module.parameters())
                if params and not any(p.requires_grad for p in params):
                    module.eval()
        return self

    def init_weights(self) -> None:
        """Load what ``pretrained`` names, then apply ``init_cfg``: the library's model was initialised when it was
        built.

        (mmengine calls ``init_weights`` of every child that has one, and that of a `transformers` model draws its
        weights anew.)
        """
        if not self.is_init:
            self.load_pretrained()
        for child in self.children():
            child.is_init = True
        super().init_weights()

    def load_pretrained(self) -> None:
        """Load the weights of others; nothing where they came when the tower was built."""

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


def parameters_of(parts: Iterable[Part]) -> list[nn.Parameter]:
    """The parameters of modules and parameters; Nones are skipped."""
    found = ([p] if isinstance(p, nn.Parameter) else p.parameters() for p in parts if p is not None)
    return [parameter for each in found for parameter in each]
