"""LW-MCR's image tower: a small network of blocks that look at several scales and filter what is redundant."""

from __future__ import annotations

from typing import Optional, Sequence

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from ....errors import ConfigError
from ....registry import MODELS

_FILTER_REDUCTION = 8


def conv_norm(in_channels: int, out_channels: int, kernel: int, *, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    """Convolution that keeps the size (divided by the stride), batch norm, ReLU."""
    padding = dilation * (kernel // 2)
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel, stride, padding, dilation, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )


class RedundancyFilter(nn.Module):
    """Sets what is weak for its channel to zero: ReLU(|x| - threshold), with the sign of x.

    The threshold of a channel is its mean magnitude times a share between 0 and 1 that a perceptron predicts from the
    mean magnitudes of all channels: soft thresholding with thresholds of the image's own (Zhao et al., Deep Residual
    Shrinkage Networks for Fault Diagnosis, 2020).

    Args:
        channels: C.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = max(channels // _FILTER_REDUCTION, 1)
        self.share = nn.Sequential(nn.Linear(channels, hidden), nn.GELU(), nn.Linear(hidden, channels), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) -> the same shape."""
        magnitude = x.abs()
        mean = magnitude.mean(dim=(2, 3))  # (B, C)
        threshold = mean * self.share(mean)
        return x.sign() * (magnitude - threshold[..., None, None]).relu()


class MultiScaleFire(nn.Module):
    """Squeeze by 1x1, expand at several scales side by side, filter, add the input.

    A fire module (Iandola et al., SqueezeNet, 2016, arXiv 1602.07360) whose expansion has a branch of 1x1 and three of
    3x3 with dilations 1, 2 and 3 instead of one of each.

    Args:
        channels: C, a multiple of 4.
        squeeze: channels of the squeezed map.
    """

    def __init__(self, channels: int, squeeze: int) -> None:
        super().__init__()
        self.squeeze = conv_norm(channels, squeeze, 1)
        quarter = channels // 4
        self.expand = nn.ModuleList(
            [conv_norm(squeeze, quarter, 1), *(conv_norm(squeeze, quarter, 3, dilation=d) for d in (1, 2, 3))]
        )
        self.filter = RedundancyFilter(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) -> the same shape."""
        squeezed = self.squeeze(x)
        return x + self.filter(torch.cat([branch(squeezed) for branch in self.expand], dim=1))


@MODELS.register_module()
class LightMultiScaleCNN(BaseModule):
    """A light multi-scale network with filtering of redundant features.

    ::

        image ── 3x3 / 2, max / 2 ── stage 1 ── / 2 ── stage 2 ── / 2 ── stage 3 ── / 2 ── stage 4
                                     (map 1)           (map 2)           (map 3)           (map 4)

    A stage is a 1x1 convolution to its width and `MultiScaleFire` blocks.

    Yuan et al., A Lightweight Multi-Scale Crossmodal Text-Image Retrieval Method in Remote Sensing, 2022 (IEEE TGRS 60)
    state that multi-scale information is incorporated and redundant features are filtered dynamically, and 1.65 M
    parameters for the whole model; code was not published. Interpretation: blocks, widths and filter are ours, sized
    for that number.

    Args:
        channels: widths of the stages, multiples of 4, from 8 on.
        depths: blocks of each stage.
        stem_channels: width after the first convolution.
        init_cfg: mmengine's.

    Raises:
        ConfigError: a value is out of range.
    """

    def __init__(
        self,
        *,
        channels: Sequence[int] = (64, 128, 256, 288),
        depths: Sequence[int] = (2, 2, 2, 2),
        stem_channels: int = 32,
        init_cfg: Optional[dict] = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        if not channels or len(channels) != len(depths):
            raise ConfigError(
                f'LightMultiScaleCNN: depths must name one number for each of the {len(channels)} stages of channels, '
                f'got {list(depths)}'
            )
        if min(depths) < 1 or stem_channels < 1 or any(c < 8 or c % 4 for c in channels):
            raise ConfigError(
                'LightMultiScaleCNN: channels must be multiples of 4 from 8 on, depths and stem_channels at least 1, '
                f'got {list(channels)}, {list(depths)} and {stem_channels}'
            )
        self.channels = tuple(channels)
        self.stem = nn.Sequential(conv_norm(3, stem_channels, 3, stride=2), nn.MaxPool2d(3, 2, 1))
        self.stages = nn.ModuleList()
        previous = stem_channels
        for index, (width, depth) in enumerate(zip(channels, depths)):
            shrink = [nn.MaxPool2d(3, 2, 1)] if index else []
            blocks = [MultiScaleFire(width, width // 8) for _ in range(depth)]
            self.stages.append(nn.Sequential(*shrink, conv_norm(previous, width, 1), *blocks))
            previous = width

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Normalised images (B, 3, H, W) -> maps (B, C_i, H / 4, W / 4), (.., H / 8, ..) and so on, fine to coarse."""
        x = self.stem(images)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return tuple(maps)
