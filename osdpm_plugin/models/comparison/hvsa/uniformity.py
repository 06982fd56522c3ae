"""Embeddings and ids -> uniformity loss, which spreads them over the hypersphere."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ....registry import MODELS
from ....utils.checks import check_number
from ...rows import first_of_each


def uniformity(embed: Tensor, gamma: float) -> Tensor:
    """Mean over pairs of rows of exp(-gamma |x - y|^2), the rows divided by their norms.

    Wang and Isola, Understanding Contrastive Representation Learning through Alignment and Uniformity on the
    Hypersphere, 2020 (arXiv 2005.10242), without their logarithm.

    Args:
        embed: (N, D).
        gamma: > 0.

    Returns:
        scalar between exp(-4 gamma) and 1; 0 (with gradient 0) for fewer than two rows.
    """
    n = len(embed)
    unit = F.normalize(embed, dim=-1)
    squared = (2 - 2 * unit @ unit.mT).clamp(min=0)  # (N, N)
    pairs = torch.ones_like(squared, dtype=torch.bool).triu(1)
    return (-gamma * squared).exp().masked_fill(~pairs, 0.0).sum() / max(n * (n - 1) // 2, 1)


@MODELS.register_module()
class UniformityLoss(nn.Module):
    """`uniformity` of the embeddings of different images.

    Zhang et al., Hypersphere-Based Remote Sensing Cross-Modal Text-Image Retrieval via Curriculum Learning, 2023 (IEEE
    TGRS 61). Departure: the released code takes every fifth row, since its batches hold an image up to five times in no
    particular order; here each image counts once, by its id.

    Args:
        gamma: of the Gaussian.

    Raises:
        ConfigError: ``gamma`` is not positive.
    """

    def __init__(self, *, gamma: float = 2.0) -> None:
        super().__init__()
        self.gamma = check_number('UniformityLoss', 'gamma', gamma, above=0)

    def forward(self, embed: Tensor, ids: Tensor) -> Tensor:
        """Embeddings (N, D) and ids (N,) int64, equal for copies of one image -> scalar, float32 at least."""
        with torch.autocast(embed.device.type, enabled=False):
            rows = embed.to(torch.promote_types(embed.dtype, torch.float32))[first_of_each(ids)[0]]
            return uniformity(rows, self.gamma)
