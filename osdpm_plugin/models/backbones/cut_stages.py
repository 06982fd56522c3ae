"""Towers of OpenMMLab whose first stages are frozen (``frozen_stages``), as towers that can be cut."""

from __future__ import annotations

from typing import Any, Optional

from torch import Tensor, nn

from ...structures import PartialImages
from .freezing import Part
from .stages import run_first_stages, run_last_stages


class CutResNet:
    """A ResNet of any OpenMMLab package, and what derives from it."""

    def __init__(self, tower: Any) -> None:
        self.tower = tower
        self.stages: list[Any] = [getattr(tower, name) for name in tower.res_layers]

    @staticmethod
    def fits(tower: nn.Module) -> bool:
        """Whether a tower is one of these."""
        return hasattr(tower, 'res_layers') and hasattr(tower, 'maxpool')

    @property
    def cut(self) -> Optional[int]:
        """The number of frozen stages; None where not even the stem is frozen."""
        return None if self.tower.frozen_stages < 0 else self.tower.frozen_stages

    def behind_cut(self) -> list[Part]:
        """The other stages."""
        return [*self.stages[self.cut or 0 :]]

    def frozen_part(self, images: Tensor) -> PartialImages:
        """Images (B, 3, H, W) -> the maps of frozen stages that the tower returns, and that of the last."""
        tower = self.tower
        x = tower.stem(images) if tower.deep_stem else tower.relu(tower.norm1(tower.conv1(images)))
        return PartialImages(run_first_stages(tower.maxpool(x), self.stages[: self.cut], tower.out_indices))

    def trained_part(self, partial: PartialImages) -> tuple[Tensor, ...]:
        """What `frozen_part` returned -> the maps of the tower."""
        return run_last_stages(partial.values, self.stages, self.tower.out_indices, self.cut or 0)[0]


class CutSwin:
    """A Swin of any OpenMMLab package: the maps that it returns are normalised, the last value is not."""

    def __init__(self, tower: Any) -> None:
        self.tower = tower

    @staticmethod
    def fits(tower: nn.Module) -> bool:
        """Whether a tower is one of these."""
        names = ('patch_embed', 'stages', 'drop_after_pos', 'out_after_downsample', 'num_features', 'frozen_stages')
        return all(hasattr(tower, name) for name in names) and not getattr(tower, 'use_abs_pos_embed', True)

    @property
    def cut(self) -> Optional[int]:
        """The number of frozen stages; None where not even the patch embedding is frozen."""
        frozen = self.tower.frozen_stages
        return None if frozen < 0 else frozen + 1

    def behind_cut(self) -> list[Part]:
        """The other stages, and the norms of their maps."""
        cut, tower = self.cut or 0, self.tower
        return [*tower.stages[cut:], *(getattr(tower, f'norm{i}') for i in tower.out_indices if i >= cut)]

    def frozen_part(self, images: Tensor) -> PartialImages:
        """Images (B, 3, H, W) -> the maps of frozen stages that the tower returns, then what the next stage reads,
        all (B, C, h, w).
        """
        x, size = self.tower.patch_embed(images)
        maps, last = self._run(self.tower.drop_after_pos(x), size, 0, self.cut or 0)
        return PartialImages((*maps, last))

    def trained_part(self, partial: PartialImages) -> tuple[Tensor, ...]:
        """What `frozen_part` returned -> the maps of the tower."""
        *maps, x = partial.values
        later, _ = self._run(x.flatten(2).mT, tuple(x.shape[-2:]), self.cut or 0, len(self.tower.stages))
        return (*maps, *later)

    def _run(self, x: Tensor, size: tuple, start: int, stop: int) -> tuple[list[Tensor], Tensor]:
        """Tokens (B, hw, C) before stage ``start`` -> maps of the stages before ``stop``, and what comes after."""
        tower, maps = self.tower, []
        for number in range(start, stop):
            stage = tower.stages[number]
            x, size = stage(x, size, do_downsample=tower.out_after_downsample)
            if number in tower.out_indices:
                maps.append(getattr(tower, f'norm{number}')(x).mT.unflatten(-1, tuple(size)).contiguous())
            if stage.downsample is not None and not tower.out_after_downsample:
                x, size = stage.downsample(x, size)
        return maps, x.mT.unflatten(-1, tuple(size)).contiguous()  # (B, C, h, w)
