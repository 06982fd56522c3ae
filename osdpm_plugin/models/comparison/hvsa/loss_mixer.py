"""Losses -> their sum, under weights that are learned with the model."""

from __future__ import annotations

from typing import Sequence

import torch
from torch import Tensor, nn

from ....utils.checks import check_int


class LossMixer(nn.Module):
    """N losses -> their weighted sum; the weights are a softmax over what a perceptron makes of the losses.

    Zhang et al., Hypersphere-Based Remote Sensing Cross-Modal Text-Image Retrieval via Curriculum Learning, 2023 (IEEE
    TGRS 61): N -> 64 -> 128 -> N without biases, PReLU between. The gradient passes through the weights too. Nothing
    keeps them from favouring the loss that is the smallest; so watch them in the log.

    Args:
        num: N.

    Raises:
        ConfigError: there is nothing to mix.
    """

    def __init__(self, num: int) -> None:
        super().__init__()
        check_int('LossMixer', 'num', num, least=2)
        self.layers = nn.Sequential(
            nn.Linear(num, 64, bias=False),
            nn.PReLU(),
            nn.Linear(64, 128, bias=False),
            nn.PReLU(),
            nn.Linear(128, num, bias=False),
        )

    def forward(self, losses: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """N scalars -> their weighted sum, scalar, and the weights (N,), which sum to 1."""
        values = torch.stack(list(losses))
        with torch.autocast(values.device.type, enabled=False):
            weights = self.layers(values.float()).softmax(dim=0)
            return (weights * values).sum(), weights
