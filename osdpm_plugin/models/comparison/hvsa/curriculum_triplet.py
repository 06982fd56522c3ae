"""Scores of pairs -> triplet loss; the greater a hinge, the smaller its weight."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ....registry import MODELS
from ....utils.checks import check_number, check_one_of
from ...losses.triplet import triplet_hinges


@MODELS.register_module()
class CurriculumTripletLoss(nn.Module):
    """Bidirectional hinges h over the negatives in the batch, each weighted by its ease: h exp(-beta h).

    Zhang et al., Hypersphere-Based Remote Sensing Cross-Modal Text-Image Retrieval via Curriculum Learning, 2023 (IEEE
    TGRS 61). Hard triplets, which early in training are noise, gain weight as their hinges shrink. The weight is part
    of the graph, as in the paper's released code: the gradient of a hinge is (1 - beta h) exp(-beta h), which turns
    against itself beyond h = 1 / beta.

    Departures: positives are given, not read off the diagonal, and may be several in a row. The released code divides
    the sum by B^2, all pairs of B images with a caption each; ``mean`` divides by the B (B - 1) negatives among them,
    so it is B / (B - 1) of that loss.

    Args:
        margin: of the hinge.
        beta: how much hard triplets are held back; 0 is `TripletLoss`.
        reduction: ``mean``, over the hinges of each direction, zeros counted, then added; or ``sum``, over all.

    Raises:
        ConfigError: a value is out of range.
    """

    def __init__(self, *, margin: float = 0.2, beta: float = 0.5, reduction: str = 'mean') -> None:
        super().__init__()
        self.margin = check_number('CurriculumTripletLoss', 'margin', margin, least=0)
        self.beta = check_number('CurriculumTripletLoss', 'beta', beta, least=0)
        self.reduction = check_one_of('CurriculumTripletLoss', 'reduction', reduction, ('sum', 'mean'))

    def forward(self, scores: Tensor, positives: Tensor, ignored: Tensor) -> Tensor:
        """Scores (B, M) with labels (B, M) bool -> scalar, float32 at least; 0 (with gradient 0) without positives."""
        scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
        return self._one_way(scores, positives, ignored) + self._one_way(scores.mT, positives.mT, ignored.mT)

    def _one_way(self, scores: Tensor, positives: Tensor, ignored: Tensor) -> Tensor:
        hinges, negatives = triplet_hinges(scores, positives, ignored, self.margin)
        total = (hinges * (-self.beta * hinges).exp()).sum()
        return total if self.reduction == 'sum' else total / negatives.sum().clamp(min=1)
