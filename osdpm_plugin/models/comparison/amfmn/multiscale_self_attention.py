"""AMFMN's image side: a global vector, gated by what fine and coarse maps agree on."""

from __future__ import annotations

from typing import NamedTuple, Optional, Sequence, Union

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from ....errors import ConfigError
from ....registry import MODELS
from ....structures import ImageFeatures, NeckOutput, as_image_features
from ....utils.checks import check_int
from ...necks.linear_neck import xavier_linear


class GatedGlobal(NamedTuple):
    """What the attention makes of B images.

    Attributes:
        vector: (B, D), the gated global vector, not normalised.
        gate: (B, g, g), between 0 and 1, how much each cell of the grid counts.
    """

    vector: Tensor
    gate: Tensor


@MODELS.register_module()
class MultiScaleSelfAttention(BaseModule):
    """Multiscale visual self-attention (MVSA) of AMFMN.

    Yuan et al., Exploring a Fine-Grained Multiscale Method for Cross-Modal Remote Sensing Image Retrieval, 2022 (IEEE
    TGRS, arXiv 2204.09868); sizes are those of its released code:

    ::

        fine maps   ── enlarge, stack ── 3x3, stride 4 ─┐
                                                        ├─ + mean of coarse ─┬─ 1x1 ───────────┐
        coarse maps ── enlarge, stack ── 1x1 ───────────┘                    └─ 1x1, sigmoid ── x ── Linear, sigmoid ─┐
        last map    ── mean ── Linear ─────────────────────────────────────────────────────────────────────────────── x

    The embedding's length carries meaning for `VisualGuidedSimilarity`, so it is normalised on request only.

    Departure: both stacks are brought to the grid by adaptive means first, so that images of any size do. With the four
    maps of a ResNet, a grid of 16 and images of 256 px nothing is changed by it, and the module is the published one.

    Args:
        in_channels: C of the tower's maps, fine to coarse, an even number of them. The first half are fine, the second
            coarse: four of a ResNet, or two, such as those of a cached ResNet-50 on one grid.
        embed_dims: D of the joint space.
        grid: g, edge of the attention map in cells.
        low_stride: how much finer the fine maps are read than the grid: 4 for a ResNet's four maps, 1 for two maps on
            one grid.
        channels: width of each stack after its convolution.
        normalize: divide the embedding by its L2 norm.
        init_cfg: mmengine's.

    Raises:
        ConfigError: a value is out of range.
    """

    def __init__(
        self,
        *,
        in_channels: Sequence[int],
        embed_dims: int,
        grid: int = 16,
        low_stride: int = 4,
        channels: int = 3,
        normalize: bool = False,
        init_cfg: Optional[dict] = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        if len(in_channels) < 2 or len(in_channels) % 2:
            raise ConfigError(
                f'MultiScaleSelfAttention: in_channels must name an even number of maps, fine to coarse, got '
                f'{list(in_channels)}; choose out_indices of the image tower so'
            )
        for key, value in dict(embed_dims=embed_dims, grid=grid, low_stride=low_stride, channels=channels).items():
            check_int('MultiScaleSelfAttention', key, value)
        self.in_channels = tuple(in_channels)
        self.embed_dims = embed_dims
        self.grid = grid
        self.low_stride = low_stride
        self.normalize = normalize
        half = len(in_channels) // 2
        # with this padding a map of low_stride * grid cells becomes one of grid cells, for every stride
        padding = 0 if low_stride > 2 else 1
        self.reduce_low = nn.Conv2d(sum(in_channels[:half]), channels, 3, stride=low_stride, padding=padding)
        self.reduce_high = nn.Conv2d(sum(in_channels[half:]), channels, 1)
        self.value = nn.Conv2d(2 * channels, 1, 1)
        self.gate = nn.Conv2d(2 * channels, 1, 1)
        self.mask = nn.Linear(grid * grid, embed_dims)
        self.global_vector = xavier_linear(in_channels[-1], embed_dims)

    def attend(self, features: ImageFeatures) -> GatedGlobal:
        """The gated global vector and the gate.

        Raises:
            ConfigError: number or widths of the maps are not ``in_channels``.
        """
        have = [m.shape[1] for m in features.maps]
        if have != list(self.in_channels):
            raise ConfigError(
                f'MultiScaleSelfAttention: in_channels={list(self.in_channels)}, but the image tower gives maps of '
                f'widths {have}'
            )
        half = len(have) // 2
        low = self.reduce_low(_stack(features.maps[:half], self.low_stride * self.grid))  # (B, c, g, g)
        high = self.reduce_high(_stack(features.maps[half:], self.grid))
        both = torch.cat([low, high], dim=1) + high.mean(dim=1, keepdim=True)  # (B, 2c, g, g)
        gate = self.gate(both).sigmoid()
        mask = self.mask((self.value(both) * gate).flatten(1)).sigmoid()  # (B, D)
        pooled = features.maps[-1].mean(dim=(2, 3))
        return GatedGlobal(vector=self.global_vector(pooled) * mask, gate=gate.squeeze(1))

    def forward(self, features: Union[ImageFeatures, Sequence[Tensor]]) -> NeckOutput:
        """ImageFeatures or OpenMMLab's tuple of maps -> NeckOutput; the saliency is the gate, scaled to sum to 1."""
        vector, gate = self.attend(as_image_features(features))
        return NeckOutput.of(
            F.normalize(vector, dim=-1) if self.normalize else vector,
            saliency=gate / gate.sum(dim=(1, 2), keepdim=True),
        )


def _stack(maps: Sequence[Tensor], edge: int) -> Tensor:
    """Maps (B, C_i, h_i, w_i), enlarged to the size of the first by repeating cells -> (B, sum of C_i, edge, edge)."""
    size = maps[0].shape[-2:]
    stacked = torch.cat([m if m.shape[-2:] == size else F.interpolate(m, size=size) for m in maps], dim=1)
    return stacked if tuple(size) == (edge, edge) else F.adaptive_avg_pool2d(stacked, edge)
