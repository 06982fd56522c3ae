"""Feature maps -> maps of one grid; a map, or the words of a text -> one vector."""

from __future__ import annotations

from typing import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def to_coarsest_grid(maps: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Maps (B, C_i, h_i, w_i) -> (B, C_i, h, w) float32, averaged over the cells of the coarsest of their grids."""
    size = min((m.shape[-2:] for m in maps), key=lambda s: s[0] * s[1])
    return tuple(F.adaptive_avg_pool2d(m.float(), tuple(size)) for m in maps)


def mean_and_max(x: Tensor) -> Tensor:
    """A map (B, C, h, w) -> (B, 2C), the mean of each channel and then the maximum of each."""
    return torch.cat([x.mean(dim=(2, 3)), x.amax(dim=(2, 3))], dim=1)


def masked_mean(words: Tensor, mask: Tensor) -> Tensor:
    """Mean over the true tokens of each row; zeros for a row without any.

    Args:
        words: (M, T, C).
        mask: (M, T) bool.

    Returns:
        (M, C).
    """
    weights = mask.unsqueeze(-1).to(words.dtype)  # (M, T, 1)
    return (words * weights).sum(dim=1) / weights.sum(dim=1).clamp_min(1)
