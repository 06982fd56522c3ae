"""MTFN: a low-rank tensor fuses the two embeddings, and a linear layer scores the fusion."""

from __future__ import annotations

from typing import Optional

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from ...registry import MODELS
from ...structures import NeckOutput, TextFeatures
from ...utils.checks import check_int, check_number
from ..similarities.widths import check_widths


@MODELS.register_module()
class TensorFusion(BaseModule):
    """Matching probability of an image and a caption by multi-modal tensor fusion.

    Wang et al., Matching Images and Text with Multi-modal Tensor Fusion and Re-ranking, 2019 (arXiv 1908.04011):

    ::

        image v ── R linear maps V_r ─┐
                                      ├─ sum_r (V_r v) * (U_r t) ── dropout ── w . + b ── sigmoid
        text  t ── R linear maps U_r ─┘

    Dropout draws for each pair, so training with it holds (B, M, F) values. Without it the logit is
    v' (sum_r V_r' diag(w) U_r) t plus biases, a dot product between t and a vector of the image alone: that vector is
    made once for each image and no pair is ever formed.

    Args:
        channels: D of both embeddings, which need not be normalised.
        rank: R, terms of the sum.
        fused_channels: F, width of the fusion.
        dropout: on the fusion. Interpretation: 0.25, the rate that the remote-sensing comparison of Yuan et al. 2022
            gives; the paper's released code drops the inputs of both sides' first layers, and nothing here.
        init_cfg: mmengine's.

    Raises:
        ConfigError: ``rank`` or ``dropout`` is out of range.
    """

    indexable = False

    def __init__(
        self,
        *,
        channels: int,
        rank: int = 20,
        fused_channels: int = 1024,
        dropout: float = 0.25,
        init_cfg: Optional[dict] = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        check_number('TensorFusion', 'dropout', dropout, least=0, below=1)
        self.channels = channels
        self.rank = check_int('TensorFusion', 'rank', rank)
        self.image_factors = nn.Linear(channels, rank * fused_channels)
        self.text_factors = nn.Linear(channels, rank * fused_channels)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(fused_channels, 1)

    def forward(self, images: NeckOutput, texts: TextFeatures) -> Tensor:
        """Embeddings (B, D) of ``images`` and pooled vectors (M, D) of ``texts`` -> probabilities (B, M).

        Raises:
            ConfigError: a side has another width than ``channels``.
        """
        image, text = images.embedding, texts.pooled
        check_widths('TensorFusion', self.channels, image, text)
        factors = self.image_factors(image).unflatten(1, (self.rank, -1))  # (B, R, F)
        if self.training and self.dropout.p > 0:
            return self._score_fusions(factors, self.text_factors(text).unflatten(1, (self.rank, -1)))
        return self._score_folded(factors, text)

    def _score_fusions(self, image_factors: Tensor, text_factors: Tensor) -> Tensor:
        """Factors (B, R, F) and (M, R, F) -> (B, M), by way of the fusions of all pairs."""
        fusions = self.dropout(torch.einsum('brf,mrf->bmf', image_factors, text_factors))
        with torch.autocast(fusions.device.type, enabled=False):  # half precision would tie probabilities near 1
            return self.output(fusions.to(self.output.weight.dtype)).sigmoid().squeeze(-1)

    def _score_folded(self, image_factors: Tensor, text: Tensor) -> Tensor:
        """Factors (B, R, F) and texts (M, D) -> (B, M), by way of one vector and one bias for each image."""
        precision = self.output.weight.dtype
        with torch.autocast(text.device.type, enabled=False):
            weighted = (image_factors.to(precision) * self.output.weight.squeeze(0)).flatten(1)  # (B, R * F)
            vectors = weighted @ self.text_factors.weight  # (B, D)
            biases = weighted @ self.text_factors.bias + self.output.bias  # (B,)
            return (vectors @ text.to(precision).mT + biases[:, None]).sigmoid()
