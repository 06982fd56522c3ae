"""LW-MCR's text tower: word embeddings and grouped convolutions, no recurrence."""

from __future__ import annotations

from typing import Optional, Sequence

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from ....datasets.text.word_tokenizer import PADDING_ID
from ....errors import ConfigError
from ....registry import MODELS
from ....structures import TextFeatures
from ...backbones.word_embedding import WordEmbedding
from ...pooling import masked_mean


class GroupedConvolution(nn.Module):
    """Grouped convolution over words, layer norm, ReLU; channels are dealt round so that groups mix in the next one.

    Args:
        in_channels: C of the words.
        out_channels: width of the result.
        kernel: words that are looked at together, odd.
        groups: of the convolution.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int, groups: int) -> None:
        super().__init__()
        self.groups = groups
        self.convolution = nn.Conv1d(in_channels, out_channels, kernel, padding=kernel // 2, groups=groups, bias=False)
        self.norm = nn.LayerNorm(out_channels)

    def forward(self, words: Tensor, mask: Tensor) -> Tensor:
        """(M, T, C) with mask (M, T), zero where it is false -> (M, T, out_channels), zero where it is false."""
        x = self.convolution(words.mT).unflatten(1, (self.groups, -1)).transpose(1, 2).flatten(1, 2)  # dealt round
        return self.norm(x.mT).relu() * mask[..., None]


@MODELS.register_module()
class LightTextCNN(BaseModule):
    """Words -> embedding -> grouped 1-D convolutions -> mean over the words.

    Padding is zero at the entrance of each convolution, so a caption has the same features however far it is padded.

    Yuan et al., A Lightweight Multi-Scale Crossmodal Text-Image Retrieval Method in Remote Sensing, 2022 (IEEE TGRS 60)
    state that the text features come from light grouped convolutions; code was not published. Interpretation: kernels,
    widths, channel shuffle (Zhang et al., ShuffleNet, 2018, arXiv 1707.01083) and layer norm are ours.

    Args:
        vocab_size: rows of the word embedding, see `WordEmbedding`.
        word_channels: width of the word embedding, a multiple of ``groups``.
        channels: widths of the convolutions, multiples of ``groups``; the last is C.
        kernel: words that a convolution looks at, odd.
        groups: of the convolutions.
        init_cfg: mmengine's.

    Attributes:
        embed_dim, width: C, the width of ``words`` and ``pooled``.
        embedding: the `WordEmbedding`; its ``set_vocabulary`` must be called before tokens are read.

    Raises:
        ConfigError: a value is out of range.
    """

    def __init__(
        self,
        *,
        vocab_size: int,
        word_channels: int = 300,
        channels: Sequence[int] = (300, 512),
        kernel: int = 3,
        groups: int = 4,
        init_cfg: Optional[dict] = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        if groups < 1 or not channels or any(c < 1 or c % groups for c in (word_channels, *channels)):
            raise ConfigError(
                f'LightTextCNN: word_channels and channels must be multiples of groups={groups}, got {word_channels} '
                f'and {list(channels)}'
            )
        if kernel < 1 or kernel % 2 == 0:
            raise ConfigError(f'LightTextCNN: kernel must be odd, got {kernel}')
        self.width = channels[-1]
        self.embed_dim = self.width
        self.embedding = WordEmbedding(vocab_size, word_channels)
        widths = (word_channels, *channels)
        self.layers = nn.ModuleList(GroupedConvolution(a, b, kernel, groups) for a, b in zip(widths, widths[1:]))

    def forward(self, tokens: Tensor) -> TextFeatures:
        """Encode captions.

        Args:
            tokens: (M, T) int64 of `WordTokenizer`.

        Returns:
            words (M, T, C), zero where there is padding; mask (M, T), true on words, known or not; pooled (M, C). A
            caption without words has zeros for its pooled vector.

        Raises:
            ConfigError: the vocabulary is empty.
        """
        mask = tokens != PADDING_ID
        words: torch.Tensor = self.embedding(tokens)  # zero where there is padding
        for layer in self.layers:
            words = layer(words, mask)
        return TextFeatures(words=words, mask=mask, pooled=masked_mean(words, mask))
