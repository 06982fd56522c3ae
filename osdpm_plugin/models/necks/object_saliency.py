"""Adaptive saliency object-aware attention: a map and its global vector -> the salient objects."""

from __future__ import annotations

from typing import NamedTuple, Sequence

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from ...errors import ConfigError
from ...utils.checks import check_int


class SaliencyOutput(NamedTuple):
    """Attributes:
    objects: (B, S * Q * E), what each query found at each scale, times the scale's weight.
    saliency: (B, h, w), sums to 1: the scales' maps mixed by their weights.
    scale_saliency: (B, S, h, w), each scale's own map, the mean over its queries; sums to 1 over (h, w).
    scale_weights: (B, S), sums to 1.
    """

    objects: Tensor
    saliency: Tensor
    scale_saliency: Tensor
    scale_weights: Tensor


class ObjectSaliencyAttention(BaseModule):
    """Saliency of positions for learned object queries, at several scales that each image weighs for itself.

    The paper states: saliency regions, object-aware, dynamic multi-scale weighted aggregation; equations are not
    public. Interpretation::

        k, v    = windows of key_value(x)                             mean over an s x s window: objects of s x s cells
        a_s,q,p = cosine(query_s,q, k_s,p) / temperature              affinity of position p to the query q
        m_s,q   = softmax over p of a_s,q                             where the image shows what q looks for
        o_s,q   = sum over p of m_s,q,p * v_s,p                       what it is like there
        w       = softmax(scale(g))                                   one weight a scale, predicted per image
        o       = concatenation over s and q of S * w_s * o_s,q

    so that small objects count through s = 1 and large ones through wide windows. Each query keeps a place of its own
    in ``o``, as a visual word does in NetVLAD (Arandjelovic et al., CVPR 2016): the embedding can tell a runway beside
    grass from grass beside a runway, which one pooled vector cannot.

    Args:
        channels: C of the map.
        global_channels: width of the global vector g.
        scales: odd window edges in cells of the map.
        num_queries: Q queries at each scale.
        object_channels: E of keys, queries and values.

    Raises:
        ConfigError: a scale is not odd and positive, or is named twice; a number is not positive.
    """

    def __init__(
        self,
        *,
        channels: int,
        global_channels: int,
        scales: Sequence[int],
        num_queries: int = 16,
        object_channels: int = 128,
    ) -> None:
        super().__init__()
        if not scales or any(s < 1 or s % 2 == 0 for s in scales) or len(set(scales)) < len(scales):
            raise ConfigError(
                f'DAPN: scales must be different odd numbers of cells such as (1, 3, 5), got {tuple(scales)}'
            )
        check_int('DAPN', 'num_queries', num_queries)
        check_int('DAPN', 'object_channels', object_channels)
        self.scales = tuple(scales)
        self.out_channels = len(self.scales) * num_queries * object_channels
        self.queries = nn.Parameter(torch.randn(len(self.scales), num_queries, object_channels) / object_channels**0.5)
        self.key_value = nn.Linear(channels, 2 * object_channels)
        self.scale = nn.Linear(global_channels, len(self.scales))
        self.log_temperature = nn.Parameter(torch.tensor(0.1).log())

    def forward(self, x: Tensor, global_vector: Tensor) -> SaliencyOutput:
        """(B, C, h, w) and (B, G) -> SaliencyOutput."""
        found = self.key_value(x.movedim(1, 3)).movedim(3, 1)  # (B, 2E, h, w)
        maps, objects = [], []
        for scale, queries in zip(self.scales, self.queries):
            key, value = window_mean(found, scale).flatten(2).mT.chunk(2, dim=2)  # (B, hw, E) each
            affinity = F.normalize(key, dim=2) @ F.normalize(queries, dim=1).mT / self.log_temperature.exp()
            saliency = affinity.softmax(dim=1).mT  # (B, Q, hw)
            maps.append(saliency.mean(dim=1).unflatten(1, x.shape[-2:]))
            objects.append(saliency @ value)  # (B, Q, E)
        weights = self.scale(global_vector).softmax(dim=1)
        scale_saliency = torch.stack(maps, dim=1)
        weighted = torch.stack(objects, dim=1) * (len(self.scales) * weights)[..., None, None]  # (B, S, Q, E)
        return SaliencyOutput(
            objects=weighted.flatten(1),
            saliency=torch.einsum('bs,bshw->bhw', weights, scale_saliency),
            scale_saliency=scale_saliency,
            scale_weights=weights,
        )


def window_mean(x: Tensor, window: int) -> Tensor:
    """Mean over a ``window`` x ``window`` neighbourhood, positions outside the map left out: shape kept."""
    if window == 1:
        return x
    return F.avg_pool2d(x, window, stride=1, padding=window // 2, count_include_pad=False)
