"""Adaptive saliency object-aware attention: a map and its global vector -> one vector of the salient objects."""

from __future__ import annotations

from typing import NamedTuple, Sequence

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from ...errors import ConfigError


class SaliencyOutput(NamedTuple):
    """Attributes:
    objects: (B, C), the salient content.
    saliency: (B, h, w), sums to 1: the scales' maps mixed by their weights.
    scale_saliency: (B, S, h, w), each scale's own map, sums to 1 over (h, w).
    scale_weights: (B, S), sums to 1.
    """

    objects: Tensor
    saliency: Tensor
    scale_saliency: Tensor
    scale_weights: Tensor


class ObjectSaliencyAttention(BaseModule):
    """Saliency of positions by affinity to the global vector, at several scales that each image weighs for itself.

    The paper states: saliency regions, object-aware, dynamic multi-scale weighted aggregation; equations are not
    public. Interpretation::

        a_p   = cosine(query(g), key(x_p)) / temperature            affinity of position p to the global vector g
        m_s   = softmax over p of mean_s(a)                         mean_s: mean over an s x s window
        o_s   = sum over p of m_s,p * mean_s(value(x))_p            objects of about s x s cells
        w     = softmax(scale(g))                                   one weight a scale, predicted per image
        o     = sum over s of w_s * o_s

    so that small objects count through s = 1 and large ones through wide windows.

    Args:
        channels: C of the map.
        global_channels: width of the global vector.
        scales: odd window edges in cells of the map.

    Raises:
        ConfigError: a scale is not odd and positive, or is named twice.
    """

    def __init__(self, *, channels: int, global_channels: int, scales: Sequence[int]) -> None:
        super().__init__()
        if not scales or any(s < 1 or s % 2 == 0 for s in scales) or len(set(scales)) < len(scales):
            raise ConfigError(
                f'DAPN: scales must be different odd numbers of cells such as (1, 3, 5), got {tuple(scales)}'
            )
        self.scales = tuple(scales)
        self.query = nn.Linear(global_channels, channels)
        self.key = nn.Conv2d(channels, channels, 1)
        self.value = nn.Conv2d(channels, channels, 1)
        self.scale = nn.Linear(global_channels, len(self.scales))
        self.log_temperature = nn.Parameter(torch.tensor(0.1).log())

    def forward(self, x: Tensor, global_vector: Tensor) -> SaliencyOutput:
        """(B, C, h, w) and (B, G) -> SaliencyOutput."""
        query = F.normalize(self.query(global_vector), dim=1)
        affinity = torch.einsum('bc,bchw->bhw', query, F.normalize(self.key(x), dim=1)) / self.log_temperature.exp()
        value = self.value(x)
        maps, objects = [], []
        for scale in self.scales:
            logits = window_mean(affinity[:, None], scale)  # (B, 1, h, w)
            saliency = logits.flatten(1).softmax(dim=1).view_as(logits)  # (B, 1, h, w)
            maps.append(saliency)
            objects.append((saliency * window_mean(value, scale)).sum(dim=(2, 3)))
        weights = self.scale(global_vector).softmax(dim=1)
        scale_saliency = torch.cat(maps, dim=1)
        return SaliencyOutput(
            objects=torch.einsum('bs,sbc->bc', weights, torch.stack(objects)),
            saliency=torch.einsum('bs,bshw->bhw', weights, scale_saliency),
            scale_saliency=scale_saliency,
            scale_weights=weights,
        )


def window_mean(x: Tensor, window: int) -> Tensor:
    """Mean over a ``window`` x ``window`` neighbourhood, positions outside the map left out: shape kept."""
    return F.avg_pool2d(x, window, stride=1, padding=window // 2, count_include_pad=False)
