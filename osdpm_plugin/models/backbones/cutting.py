"""Towers that are frozen up to a block: images or tokens -> what their frozen part gives -> what the tower gives.

A tower that can be cut has the methods of `CuttableTower`; those of OpenMMLab get them from `cut_stages`. The cut is
where the config's own freezing says (``trainable_blocks``, ``trainable_layers``, ``frozen_stages``), and
``tower(x)`` equals ``trained_part(tower, frozen_part(tower, x))``.
"""

from __future__ import annotations

from typing import Any, Optional, Protocol, Union, cast

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from ...structures import ImageFeatures, PartialImages, PartialTexts, TextFeatures
from .cut_stages import CutResNet, CutSwin
from .freezing import FreezableTower, Part

Features = Union[ImageFeatures, TextFeatures, tuple[Tensor, ...]]


class CuttableTower(Protocol):
    """What a tower says of its cut. Towers of texts have ``columns`` too, see `HFTextTower`."""

    @property
    def cut(self) -> Optional[int]:
        """The number of blocks in the frozen part; None for a tower that cannot be cut, or is not frozen in part."""

    def behind_cut(self) -> list[Part]:
        """What is trained: the blocks behind the cut and what follows them."""

    def frozen_part(self, inputs: Tensor) -> Union[PartialImages, PartialTexts]:
        """Images (B, 3, H, W) or tokens (M, T) -> one row an image or caption."""

    def trained_part(self, partial: Any) -> Features:
        """What `frozen_part` returned -> what the whole tower returns."""


def cuttable(tower: nn.Module) -> Optional[CuttableTower]:
    """The tower as one that can be cut; None for one that trains all of its weights or none, or cannot be cut."""
    if not any(p.requires_grad for p in tower.parameters()):
        return None
    kinds = [kind for kind in (CutResNet, CutSwin) if kind.fits(tower)]
    own: Any = tower if isinstance(tower, FreezableTower) else kinds[0](tower) if kinds else None
    return None if own is None or own.cut is None else cast(CuttableTower, own)


def frozen_part(tower: nn.Module, inputs: Tensor) -> Any:
    """What never changes while a tower is trained: its features where it is frozen whole, what its frozen part gives
    where it can be cut, ``inputs`` elsewhere.
    """
    cut = cuttable(tower)
    if cut is not None:
        return cut.frozen_part(inputs)
    return inputs if any(p.requires_grad for p in tower.parameters()) else tower(inputs)


def trained_part(tower: nn.Module, values: Any) -> Any:
    """What the tower gives, from ``inputs``, or from what `frozen_part` returned, or made of them before."""
    if isinstance(values, Tensor):
        return tower(values)
    if isinstance(values, (PartialImages, PartialTexts)):
        cut = cuttable(tower)
        assert cut is not None, 'the cache was checked by FeatureCacheHook'
        return cut.trained_part(values)
    return values


def names_behind_cut(tower: nn.Module) -> set[str]:
    """Names of the parameters and buffers of a tower that stand behind its cut; none where it has no cut."""
    cut = cuttable(tower)
    parts = [] if cut is None else [part for part in cut.behind_cut() if part is not None]
    own = {id(part) for part in parts}
    for part in parts:
        if isinstance(part, nn.Module):
            own |= {id(value) for value in [*part.parameters(), *part.buffers()]}
    every = [*tower.named_parameters(remove_duplicate=False), *tower.named_buffers(remove_duplicate=False)]
    return {name for name, value in every if id(value) in own}


def unsteady(tower: nn.Module) -> list[str]:
    """What keeps the frozen part of a tower in training mode from giving the same each time: names of its trained
    parameters, of batch normalisation that takes statistics of the batch, and of dropout.
    """
    behind = names_behind_cut(tower)
    cut = cuttable(tower)
    parts = [] if cut is None else [part for part in cut.behind_cut() if isinstance(part, nn.Module)]
    trained = {id(module) for part in parts for module in part.modules()}
    found = [name for name, p in tower.named_parameters() if p.requires_grad and name not in behind]
    for name, module in tower.named_modules():
        moves = isinstance(module, _BatchNorm) or (isinstance(module, _DropoutNd) and module.p > 0)
        if moves and module.training and id(module) not in trained:
            found.append(name)
    return found
