"""Spatial-channel cooperative attention: (B, C, h, w) -> (B, C, h, w)."""

from __future__ import annotations

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn


class SpatialChannelCooperativeAttention(BaseModule):
    """Channel and spatial attention, each computed with the other's result.

    The paper names the module and says that the two branches interact to carry global context; equations are not
    public.
    Interpretation: both branches make a first guess on the plain map x, then each repeats its step on the map that the
    other's guess has weighted (CBAM, Woo et al. 2018, runs them one after the other in a single direction)::

        c0 = channel(mean of x over positions)         s0 = spatial(x)
        c  = channel(mean of x weighted by s0)          s  = spatial(c0 * x)
        y  = x + x * c * s

    Args:
        channels: C.
        reduction: the channel branch narrows C by this factor.
        kernel_size: of the spatial branch's convolution, odd.
    """

    def __init__(self, *, channels: int, reduction: int = 16, kernel_size: int = 7) -> None:
        super().__init__()
        hidden = max(channels // reduction, 8)
        self.channel = nn.Sequential(nn.Linear(channels, hidden), nn.GELU(), nn.Linear(hidden, channels), nn.Sigmoid())
        self.spatial = nn.Sequential(nn.Conv2d(2, 1, kernel_size, padding=kernel_size // 2), nn.Sigmoid())

    def spatial_weights(self, x: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, 1, h, w) in (0, 1), from the mean and maximum over channels."""
        return self.spatial(torch.cat([x.mean(dim=1, keepdim=True), x.amax(dim=1, keepdim=True)], dim=1))

    def channel_weights(self, x: Tensor, where: Tensor) -> Tensor:
        """(B, C, h, w) and positions' weights (B, 1, h, w) -> (B, C, 1, 1) in (0, 1)."""
        pooled = (x * where).sum(dim=(2, 3)) / where.sum(dim=(2, 3))
        return self.channel(pooled)[..., None, None]

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, C, h, w)."""
        everywhere = torch.ones_like(x[:, :1])
        first_spatial = self.spatial_weights(x)
        first_channel = self.channel_weights(x, everywhere)
        channel = self.channel_weights(x, first_spatial)
        spatial = self.spatial_weights(x * first_channel)
        return x + x * channel * spatial
