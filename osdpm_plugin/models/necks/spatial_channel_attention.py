"""Spatial-channel cooperative attention: (B, C, h, w) -> (B, C, h, w)."""

from __future__ import annotations

from typing import Optional

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

    def spatial_weights(self, x: Tensor, channel: Optional[Tensor] = None) -> Tensor:
        """(B, C, h, w), its channels weighted by (B, C) -> (B, 1, h, w) in (0, 1), from their mean and maximum."""
        if channel is None:
            mean, maximum = x.mean(dim=1, keepdim=True), x.amax(dim=1, keepdim=True)
        else:
            mean = (channel[:, None] @ x.flatten(2) / x.shape[1]).unflatten(2, x.shape[2:])  # (B, 1, h, w)
            maximum = (x * channel[..., None, None]).amax(dim=1, keepdim=True)
        return self.spatial(torch.cat([mean, maximum], dim=1))

    def channel_weights(self, x: Tensor, where: Optional[Tensor] = None) -> Tensor:
        """(B, C, h, w), its positions weighted by (B, 1, h, w) -> (B, C) in (0, 1)."""
        if where is None:
            return self.channel(x.mean(dim=(2, 3)))
        return self.channel((x.flatten(2) @ where.flatten(2).mT).squeeze(2) / where.sum(dim=(2, 3)))

    def weights(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, h, w) -> c (B, C) and s (B, 1, h, w), in (0, 1)."""
        channel = self.channel_weights(x, self.spatial_weights(x))
        return channel, self.spatial_weights(x, self.channel_weights(x))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, C, h, w)."""
        channel, spatial = self.weights(x)
        return torch.addcmul(x, x * channel[..., None, None], spatial)
