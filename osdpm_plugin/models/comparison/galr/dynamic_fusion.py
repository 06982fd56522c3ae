"""GaLR's fusion: global and local vector inform each other, then are weighed for each image."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn


class FusedLevels(NamedTuple):
    """What the fusion makes of B images.

    Attributes:
        vector: (B, D), not normalised.
        weights: (B, 2), of the global and the local part; they sum to 1.
    """

    vector: Tensor
    weights: Tensor


class MultiLevelDynamicFusion(nn.Module):
    """Multi-level information dynamic fusion (MIDF) of GaLR.

    Yuan et al., Remote Sensing Cross-Modal Text-Image Retrieval Based on Global and Local Information, 2022 (IEEE TGRS,
    arXiv 2204.09860); sizes are those of its released code:

    ::

        local l  ── self attention ── guided by g ── l' ─┬─ sigmoid(l') * g' = G ─┐
        global g ── self attention ── guided by l' ─ g' ─┴─ l' + g'          = L ─┴─ w_1 G + w_2 L
        w = softmax(Linear(dropout(sigmoid(Linear(G + L)))))

    Self attention is a transformer encoder layer, guided attention a decoder layer. Each side is one vector, and
    attention over one thing is 1: the queries and keys of all layers take part in the parameter count, and their
    gradient is zero.

    Departures: the released code multiplies both G and L by w_1, so that w_2 is never used; here each has its own
    weight, as the paper says. Layer normalisation divides by the root of the variance plus epsilon (PyTorch's) instead
    of by the unbiased deviation plus epsilon.

    Args:
        channels: D.
        heads: of the attentions.
        hidden_channels: of the attentions' perceptrons.
        dropout: in the attentions.
        weight_dropout: in the network that predicts the weights.
    """

    def __init__(
        self,
        *,
        channels: int,
        heads: int = 8,
        hidden_channels: int = 1024,
        dropout: float = 0.1,
        weight_dropout: float = 0.2,
    ) -> None:
        super().__init__()
        options = dict(nhead=heads, dim_feedforward=hidden_channels, dropout=dropout, batch_first=True)
        self.local_attention = nn.TransformerEncoderLayer(channels, **options)
        self.global_attention = nn.TransformerEncoderLayer(channels, **options)
        self.correct_local = nn.TransformerDecoderLayer(channels, **options)
        self.supplement_global = nn.TransformerDecoderLayer(channels, **options)
        self.weigh = nn.Sequential(
            nn.Linear(channels, channels), nn.Sigmoid(), nn.Dropout(weight_dropout), nn.Linear(channels, 2)
        )

    def forward(self, global_vector: Tensor, local_vector: Tensor) -> FusedLevels:
        """(B, D) and (B, D) -> the fused vector and its weights."""
        overall = self.global_attention(global_vector[:, None])  # (B, 1, D)
        local = self.correct_local(self.local_attention(local_vector[:, None]), overall)
        overall = self.supplement_global(overall, local)
        corrected, supplemented = (local.sigmoid() * overall).squeeze(1), (overall + local).squeeze(1)
        weights = self.weigh(corrected + supplemented).softmax(dim=-1)  # (B, 2)
        vector = torch.stack([corrected, supplemented], dim=1)  # (B, 2, D)
        return FusedLevels(vector=(weights[..., None] * vector).sum(dim=1), weights=weights)
