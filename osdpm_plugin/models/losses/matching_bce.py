"""Matching as binary classification of pairs."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...errors import ConfigError
from ...registry import MODELS
from ...utils.checks import check_number


def hardest_negative_bce(log_matching: Tensor, log_mismatching: Tensor, positives: Tensor, negatives: Tensor) -> Tensor:
    """For each row with a positive, -log p of its positives (their mean) and -log(1 - p) of its worst negative; summed.

    Args:
        log_matching: (B, M), log p.
        log_mismatching: (B, M), log(1 - p).
        positives, negatives: (B, M) bool.

    Returns:
        scalar; 0 (with gradient 0) where no row has a positive.
    """
    matched = log_matching.masked_fill(~positives, 0.0).sum(dim=1) / positives.sum(dim=1).clamp(min=1)
    worst = log_mismatching.masked_fill(~negatives, 0.0).amin(dim=1)  # log(1 - p) <= 0
    return -(matched + worst.masked_fill(~positives.any(dim=1), 0.0)).sum()


@MODELS.register_module()
class MatchingBCELoss(nn.Module):
    """Binary cross entropy on matching probabilities, as CAMP is trained (Wang et al. 2019, arXiv 1909.05506).

    - ``hardest=True``, the paper's: every image pays for its caption and for the negative caption that it scores
      highest, every caption for its image and its worst negative image; summed over the batch.
    - ``hardest=False``: mean over positives plus sum over negatives divided by the number of all pairs, as the
      paper's released code does with its switch for hard negatives off.

    Departure: positives are given, not read off the diagonal, and may be several; in ``hardest`` their mean counts,
    which is the paper's loss where each has one.

    Args:
        hardest: whether only the worst negative of each row and column counts.
        eps: probabilities are clamped to [eps, 1 - eps]; no gradient flows outside.

    Raises:
        ConfigError: ``eps`` is out of range.

    Example:
        >>> positives = torch.eye(2, dtype=torch.bool)
        >>> loss = MatchingBCELoss()
        >>> loss(torch.full((2, 2), 0.5), positives, torch.zeros_like(positives))  # 2 rows and 2 columns, 2 log(2) each
        tensor(5.5452)
    """

    def __init__(self, *, hardest: bool = True, eps: float = 1e-6) -> None:
        super().__init__()
        self.hardest = hardest
        self.eps = check_number('MatchingBCELoss', 'eps', eps, least=1e-7, below=0.5)

    def forward(self, scores: Tensor, positives: Tensor, ignored: Tensor) -> Tensor:
        """Loss of a batch.

        Args:
            scores: (B, M) probabilities.
            positives: (B, M) bool.
            ignored: (B, M) bool, pairs that count neither as positives nor as negatives.

        Returns:
            scalar, float32 at least.

        Raises:
            ConfigError: a score is not a probability.
        """
        low, high = scores.detach().aminmax()
        if low < 0 or high > 1:
            raise ConfigError(
                f'MatchingBCELoss: scores must lie between 0 and 1, got {low.item():.3g} to {high.item():.3g}; set '
                'similarity to one that gives probabilities (CrossModalMessagePassing, TensorFusion)'
            )
        probabilities = scores.to(torch.promote_types(scores.dtype, torch.float32)).clamp(self.eps, 1 - self.eps)
        log_matching, log_mismatching = probabilities.log(), (1 - probabilities).log()
        positives = positives & ~ignored
        negatives = ~positives & ~ignored
        if self.hardest:
            return hardest_negative_bce(log_matching, log_mismatching, positives, negatives) + hardest_negative_bce(
                log_matching.mT, log_mismatching.mT, positives.mT, negatives.mT
            )
        matched = log_matching.masked_fill(~positives, 0.0).sum() / positives.sum().clamp(min=1)
        mismatched = log_mismatching.masked_fill(~negatives, 0.0).sum() / (positives | negatives).sum().clamp(min=1)
        return -(matched + mismatched)
