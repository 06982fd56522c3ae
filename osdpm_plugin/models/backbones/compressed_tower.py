"""A frozen image tower whose maps and global descriptor are cut to their principal components."""

from __future__ import annotations

from typing import Any, Iterable, Optional, Sequence

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from ...errors import ConfigError
from ...registry import MODELS
from ...structures import ImageFeatures, as_image_features
from ...utils.checks import check_one_of
from ..pooling import mean_and_max, to_coarsest_grid


class PrincipalComponents(nn.Module):
    """Rows (n, C) -> (n, k): centre, rotate to the first k principal directions, divide by one scale.

    The scale is the root mean variance of the kept directions, so that their relative sizes stay (no whitening: it
    blows up the noise of weak directions). Buffers alone, nothing is trained.

    Args:
        in_channels: C.
        channels: k.

    Raises:
        ConfigError: k exceeds C.
    """

    mean: Tensor
    basis: Tensor
    scale: Tensor

    def __init__(self, *, in_channels: int, channels: int) -> None:
        super().__init__()
        if not 1 <= channels <= in_channels:
            raise ConfigError(f'CompressedTower: {channels} components of {in_channels} channels cannot be kept')
        self.register_buffer('mean', torch.zeros(in_channels))
        self.register_buffer('basis', torch.zeros(in_channels, channels))
        self.register_buffer('scale', torch.zeros(()))  # 0: not fitted

    @torch.no_grad()
    def fit(self, rows: Tensor) -> float:
        """Fit to rows (n, C); returns the share of variance that is kept.

        Raises:
            ConfigError: fewer rows than components.
        """
        if len(rows) <= self.basis.shape[1]:
            raise ConfigError(f'{len(rows)} rows cannot fix {self.basis.shape[1]} components; give more images')
        rows = rows.double()
        mean = rows.mean(dim=0)
        centred = rows - mean
        if len(rows) < rows.shape[1]:  # the smaller of the two Gram matrices has the same spectrum
            variances, left = torch.linalg.eigh(centred @ centred.mT)
            vectors = centred.mT @ left / variances.clamp(min=1e-12).sqrt()
        else:
            variances, vectors = torch.linalg.eigh(centred.mT @ centred)
        kept = self.basis.shape[1]
        variances = variances.clamp(min=0) / (len(rows) - 1)
        self.mean.copy_(mean)
        self.basis.copy_(vectors[:, -kept:].flip(1))
        self.scale.copy_(variances[-kept:].mean().sqrt())
        return float(variances[-kept:].sum() / variances.sum())

    def forward(self, rows: Tensor) -> Tensor:
        """(..., C) -> (..., k).

        Raises:
            ConfigError: `fit` was not called and no fitted weights were loaded.
        """
        if not self.scale:
            raise ConfigError(
                'CompressedTower: its components are not fitted; run tools/fit_compression.py CONFIG, which writes the '
                'file that init_cfg names'
            )
        return (rows - self.mean) @ self.basis / self.scale


@MODELS.register_module()
class CompressedTower(BaseModule):
    """Any image tower, frozen, followed by principal components of what it sees in the training images.

    ::

        tower ─┬─ maps ──── square root ── components ──> maps (B, k_i, h, w)
               └─ last map: mean and maximum ── LayerNorm ── components ──> pooled (B, P)

    Ours: on frozen ImageNet features the directions of little variance only feed overfitting, and a cache of the
    compressed maps takes a sixth of the room and time. The square root (power normalisation, Perronnin et al., ECCV
    2010) evens out bursts of a channel; maps of ReLU towers are not negative, others keep their sign.

    Args:
        in_channels: C_i of its maps, fine to coarse.
        channels: k_i components kept of each map.
        pooled_channels: P components kept of the global descriptor (2 C of the last map).
        grid: ``coarsest``: finer maps are pooled to the grid of the coarsest before compression; ``own``: they stay as
            they are.
        init_cfg: mmengine's; ``dict(type='Pretrained', checkpoint=FILE)`` of the file that tools/fit_compression.py
            wrote, which holds the tower's weights as well.

    Raises:
        ConfigError: numbers of channels do not fit.
    """

    def __init__(
        self,
        *,
        tower: Any,
        in_channels: Sequence[int],
        channels: Sequence[int],
        pooled_channels: int,
        grid: str = 'coarsest',
        init_cfg: Optional[dict] = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        if len(in_channels) != len(channels):
            raise ConfigError(
                f'CompressedTower: in_channels={tuple(in_channels)} and channels={tuple(channels)} must be of one '
                'length'
            )
        self.tower = MODELS.build(tower)
        self.grid = check_one_of('CompressedTower', 'grid', grid, ('own', 'coarsest'))
        self.of_maps = nn.ModuleList(
            PrincipalComponents(in_channels=c, channels=k) for c, k in zip(in_channels, channels)
        )
        self.of_pooled = PrincipalComponents(in_channels=2 * in_channels[-1], channels=pooled_channels)
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> CompressedTower:
        """Always in evaluation mode: the tower is frozen."""
        return super().train(False)

    @torch.no_grad()
    def _see(self, images: Tensor) -> tuple[list[Tensor], Tensor]:
        """Images -> maps with channels last (B, h, w, C_i), after the root, and the descriptor (B, 2C)."""
        maps = as_image_features(self.tower(images)).maps
        pooled = mean_and_max(maps[-1].float())
        if self.grid == 'coarsest':
            maps = to_coarsest_grid(maps)
        rooted = [(m.float().sign() * m.float().abs().sqrt()).permute(0, 2, 3, 1) for m in maps]
        return rooted, F.layer_norm(pooled, pooled.shape[-1:])

    def fit(self, batches: Iterable[Tensor], cells: int = 16, seed: int = 0) -> list[float]:
        """Fit the components to preprocessed images.

        Args:
            batches: tensors (B, 3, H, W).
            cells: cells drawn of each map of each image; all images give their descriptor.

        Returns:
            the share of variance kept, of each map and of the descriptor.

        Raises:
            ConfigError: there are too few images, or the tower's maps do not have ``in_channels``.
        """
        generator = torch.Generator().manual_seed(seed)
        rows: list[list[Tensor]] = [[] for _ in self.of_maps]
        pooled = []
        for images in batches:
            maps, descriptor = self._see(images)
            if [m.shape[-1] for m in maps] != [len(part.mean) for part in self.of_maps]:
                raise ConfigError(
                    f'CompressedTower: in_channels={[len(part.mean) for part in self.of_maps]}, but the tower gives '
                    f'{[m.shape[-1] for m in maps]}'
                )
            pooled.append(descriptor.cpu())
            for kept, m in zip(rows, maps):
                flat = m.flatten(1, 2).cpu()  # (B, hw, C_i)
                drawn = torch.randperm(flat.shape[1], generator=generator)[:cells]
                kept.append(flat[:, drawn].flatten(0, 1))
        shares = [part.fit(torch.cat(kept)) for part, kept in zip(self.of_maps, rows)]
        return [*shares, self.of_pooled.fit(torch.cat(pooled))]

    @torch.no_grad()
    def forward(self, images: Tensor) -> ImageFeatures:
        """(B, 3, H, W) -> ImageFeatures of maps (B, k_i, h, w) and pooled (B, P).

        Raises:
            ConfigError: the components are not fitted.
        """
        maps, descriptor = self._see(images)
        compressed = tuple(part(m).permute(0, 3, 1, 2).contiguous() for part, m in zip(self.of_maps, maps))
        return ImageFeatures(maps=compressed, pooled=self.of_pooled(descriptor))
