"""CAMP: image and caption exchange messages through a gate, then a small network scores the pair."""

from __future__ import annotations

from typing import Optional

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from ...errors import ConfigError
from ...registry import MODELS
from ...structures import NeckOutput, TextFeatures
from ...utils.checks import check_one_of
from ..similarities.widths import check_widths
from ..similarities.word_mask import longest_caption, padded_words


class SummaryAttention(nn.Module):
    """Several weighted means of a set of vectors, averaged: Linear -> ReLU -> Linear gives each head's weights.

    Args:
        channels: D.
        heads: number of weighted means.
        dropout: on the weights.
    """

    def __init__(self, channels: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.weigh = nn.Sequential(nn.Linear(channels, channels), nn.ReLU(), nn.Linear(channels, heads))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Optional[Tensor]) -> Tensor:
        """(B, M, N, D), with a (M, N) bool mask of the vectors that count or None for all -> (B, M, D)."""
        if x.shape[2] == 1 and not (self.training and self.dropout.p):
            # the only weight is 1; one pair's is computed all the same, since DDP wants every parameter in the graph
            only = self.weigh(x[:1, :1]).softmax(dim=2).mean() if self.training else 1.0
            return x.squeeze(2) * only
        logits = self.weigh(x)  # (B, M, N, heads)
        if mask is not None:
            logits = logits.masked_fill(~mask[..., None], float('-inf'))
        weights = self.dropout(logits.softmax(dim=2)).mean(dim=-1)  # (B, M, N)
        return (weights[:, :, None] @ x).squeeze(2)


class GatedMessage(nn.Module):
    """x + dropout(ReLU(W (gate * [x, message]) + b)), the gate being sigmoid(x . message).

    Cross-modal gated fusion of Wang et al. 2019. The message is a weighted mean of the other side's vectors, so W's
    second half is applied to those before they are mixed: once for each image or caption, not once for each pair.

    Departure: the paper's gate has a value for each channel; one value, from the dot product, is what its released
    code has.

    Args:
        channels: D.
        dropout: after the rectifier.
    """

    def __init__(self, channels: int, dropout: float) -> None:
        super().__init__()
        self.own = nn.Linear(channels, channels)
        self.message = nn.Linear(channels, channels, bias=False)
        self.dropout = nn.Dropout(dropout)

    def forward(self, own: Tensor, other: Tensor, weights: Tensor, agreement: Tensor) -> Tensor:
        """Fuse the vectors of P images (or captions) with the messages of N captions (or images).

        Args:
            own: (P, Q, D).
            other: (N, C, D).
            weights: (P, N, Q, C), for each vector of ``own`` a distribution over those of ``other``.
            agreement: (P, N, Q), vector of ``own`` . its message.

        Returns:
            (P, N, Q, D).
        """
        messages = torch.einsum('pnqc,ncd->pnqd', weights, self.message(other))
        kept = F.linear(own, self.own.weight)[:, None]  # (P, 1, Q, D)
        gated = (kept + messages) * agreement.sigmoid()[..., None] + self.own.bias
        return own[:, None] + self.dropout(gated.relu())


@MODELS.register_module()
class CrossModalMessagePassing(BaseModule):
    """Matching probability of an image and a caption by CAMP, cross-modal adaptive message passing.

    Wang et al., CAMP: Cross-Modal Adaptive Message Passing for Text-Image Retrieval, 2019 (arXiv 1909.05506).

    ::

        regions ─┬─ attend to words ── gate, fuse ── summary ─┐
                 │                                            ├─ Linear, ReLU, Linear, sigmoid ── score
        words ───┴─ attend to regions ─ gate, fuse ── summary ─┘

    With ``grain='global'``, as in the remote-sensing comparison of Yuan et al. 2022, the image's embedding is the
    only region and the caption's pooled vector the only word. Attention over one thing is 1, so the keys and the
    summaries have nothing to learn there: they take part in the parameter count, and their gradient is zero.

    Args:
        channels: D of both sides.
        grain: ``global``, or ``local`` for all regions and words. Training memory is B M (R + T) D values a tensor.
        heads: of the summaries.
        dropout: in the fusion, the summaries and the scoring network. The paper's released code: 0.
        init_cfg: mmengine's.

    Raises:
        ConfigError: ``grain`` is unknown.
    """

    indexable = False

    def __init__(
        self,
        *,
        channels: int,
        grain: str = 'local',
        heads: int = 4,
        dropout: float = 0.0,
        init_cfg: Optional[dict] = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.channels = channels
        self.grain = check_one_of('CrossModalMessagePassing', 'grain', grain, ('global', 'local'))
        self.image_key = nn.Linear(channels, channels, bias=False)
        self.text_key = nn.Linear(channels, channels, bias=False)
        self.image_fusion = GatedMessage(channels, dropout)
        self.text_fusion = GatedMessage(channels, dropout)
        self.image_summary = SummaryAttention(channels, heads, dropout)
        self.text_summary = SummaryAttention(channels, heads, dropout)
        self.hidden = nn.Sequential(nn.Linear(2 * channels, channels), nn.ReLU(), nn.Dropout(dropout))
        self.output = nn.Linear(channels, 1)
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.xavier_uniform_(layer.weight)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def _sides(self, images: NeckOutput, texts: TextFeatures) -> tuple[Tensor, Tensor, Optional[Tensor]]:
        """Regions (B, R, D), words (M, T, D) and their mask (M, T), or None where every word counts."""
        if self.grain == 'global':
            return images.embedding[:, None], texts.pooled[:, None], None
        if images.regions is None:
            raise ConfigError(
                "CrossModalMessagePassing: grain='local' needs regions, which the neck does not give; set neck to one "
                "that does (RegionNeck), or grain='global'"
            )
        words, mask = padded_words(longest_caption(texts) if self.training else texts)
        return images.regions, words, mask

    def forward(self, images: NeckOutput, texts: TextFeatures) -> Tensor:
        """Embeddings (B, D) or regions (B, R, D), pooled texts (M, D) or words (M, T, D) -> probabilities (B, M).

        Raises:
            ConfigError: a side has another width than ``channels``, or there are no regions to take.
        """
        regions, words, mask = self._sides(images, texts)
        check_widths('CrossModalMessagePassing', self.channels, regions, words)
        logits = torch.einsum('brd,mtd->bmrt', self.image_key(regions), self.text_key(words)) / self.channels**0.5
        dots = torch.einsum('brd,mtd->bmrt', regions, words)
        over_words = logits if mask is None else logits.masked_fill(~mask[:, None], float('-inf'))
        over_words = over_words.softmax(dim=3)
        over_regions = logits.softmax(dim=2)
        fused_regions = self.image_fusion(regions, words, over_words, (over_words * dots).sum(dim=3))  # (B, M, R, D)
        fused_words = self.text_fusion(
            words, regions, over_regions.permute(1, 0, 3, 2), (over_regions * dots).sum(dim=2).transpose(0, 1)
        ).transpose(0, 1)  # (B, M, T, D)
        image, text = self.image_summary(fused_regions, None), self.text_summary(fused_words, mask)
        hidden = self.hidden(torch.cat([image, text], dim=-1))  # (B, M, D)
        with torch.autocast(hidden.device.type, enabled=False):  # half precision would tie probabilities near 1
            return self.output(hidden.to(self.output.weight.dtype)).sigmoid().squeeze(-1)
