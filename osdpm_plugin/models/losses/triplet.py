"""Hinge loss on triplets of an image, a caption and a negative of either."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...registry import MODELS
from ...utils.checks import check_number, check_one_of


def triplet_hinges(scores: Tensor, positives: Tensor, ignored: Tensor, margin: float) -> tuple[Tensor, Tensor]:
    """For each positive pair, max(0, margin - its score + score of a negative) over the negatives of its row.

    Args:
        scores: (B, M).
        positives: (B, M) bool, P of them true.
        ignored: (B, M) bool, entries that are neither positives nor negatives.

    Returns:
        hinges: (P, M), zero where the entry of the row is no negative.
        negatives: (P, M) bool.
    """
    rows = positives.nonzero()[:, 0]  # (P,)
    negatives = ~(positives | ignored)[rows]
    hinges = (margin - scores[positives][:, None] + scores[rows]).clamp(min=0)
    return hinges.masked_fill(~negatives, 0.0), negatives


@MODELS.register_module()
class TripletLoss(nn.Module):
    """Bidirectional hinge over the negatives in the batch.

    Faghri et al., VSE++: Improving Visual-Semantic Embeddings with Hard Negatives, 2018 (arXiv 1707.05612), eq. 5 (sum
    over negatives) and eq. 6 (the hardest of them). Departure: positives are given, not read off the diagonal, and may
    be several in a row; each is the anchor of its own hinges.

    Args:
        margin: of the hinge.
        reduction: ``sum``, over all hinges of both directions; or ``mean``, over the hinges of each direction, zeros
            counted, then added.
        hardest: take only the greatest hinge of each positive in each direction.

    Raises:
        ConfigError: a value is out of range.

    Example:
        >>> scores = torch.tensor([[0.9, 0.8], [0.1, 0.7]])
        >>> positives = torch.eye(2, dtype=torch.bool)
        >>> loss = TripletLoss(margin=0.2)
        >>> loss(scores, positives, torch.zeros_like(positives))  # 0.1 of the first row, 0.3 of the second column
        tensor(0.4000)
    """

    def __init__(self, *, margin: float = 0.2, reduction: str = 'sum', hardest: bool = False) -> None:
        super().__init__()
        self.margin = check_number('TripletLoss', 'margin', margin, least=0)
        self.reduction = check_one_of('TripletLoss', 'reduction', reduction, ('sum', 'mean'))
        self.hardest = hardest

    def forward(self, scores: Tensor, positives: Tensor, ignored: Tensor) -> Tensor:
        """Scores (B, M) with labels (B, M) bool -> scalar, float32 at least; 0 (with gradient 0) without positives."""
        scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
        return self._one_way(scores, positives, ignored) + self._one_way(scores.mT, positives.mT, ignored.mT)

    def _one_way(self, scores: Tensor, positives: Tensor, ignored: Tensor) -> Tensor:
        hinges, negatives = triplet_hinges(scores, positives, ignored, self.margin)
        counts = negatives.sum(dim=1)  # (P,)
        if self.hardest:
            hinges, counts = hinges.amax(dim=1), (counts > 0).long()
        total = hinges.sum()
        return total if self.reduction == 'sum' else total / counts.sum().clamp(min=1)
