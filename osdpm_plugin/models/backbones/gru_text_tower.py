"""The text tower of the methods before transformers: word embeddings and a recurrent network."""

from __future__ import annotations

from typing import Optional

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from ...datasets.text.word_tokenizer import PADDING_ID
from ...registry import MODELS
from ...structures import TextFeatures
from ...utils.checks import check_int, check_one_of
from ..pooling import masked_mean
from .word_embedding import WordEmbedding


@MODELS.register_module()
class GRUTextTower(BaseModule):
    """Words -> embedding -> GRU (Cho et al. 2014, arXiv 1406.1078).

    Padding, which stands on the right, is never read: a caption has the same features however far it is padded.

    On a GPU the network runs in float32 under autocast too: what cuDNN's autocast makes of a recurrent network is
    float16, whatever dtype was asked for, and bfloat16 trains without a scaled loss.

    Args:
        vocab_size: rows of the word embedding, see `WordEmbedding`.
        hidden_channels: width of the GRU, of each direction.
        merge: how the directions are joined: ``mean`` or ``concat``.
        pooling: ``mean`` over the caption's words, or ``last``: the state after its last word (of the backward
            direction, after its first).

    Attributes:
        embed_dim, width: C, the width of ``words`` and ``pooled``.
        embedding: the `WordEmbedding`; its ``set_vocabulary`` must be called before tokens are read.

    Raises:
        ConfigError: a value is unknown or out of range.
    """

    def __init__(
        self,
        *,
        vocab_size: int,
        word_channels: int = 300,
        hidden_channels: int = 512,
        num_layers: int = 1,
        bidirectional: bool = False,
        merge: str = 'mean',
        pooling: str = 'mean',
        init_cfg: Optional[dict] = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        sizes = dict(word_channels=word_channels, hidden_channels=hidden_channels, num_layers=num_layers)
        for key, value in sizes.items():
            check_int('GRUTextTower', key, value)
        self.merge = check_one_of('GRUTextTower', 'merge', merge, ('mean', 'concat'))
        self.pooling = check_one_of('GRUTextTower', 'pooling', pooling, ('mean', 'last'))
        self.directions = 2 if bidirectional else 1
        self.width = hidden_channels * (self.directions if merge == 'concat' else 1)
        self.embed_dim = self.width
        self.embedding = WordEmbedding(vocab_size, word_channels)
        self.gru = nn.GRU(word_channels, hidden_channels, num_layers, batch_first=True, bidirectional=bidirectional)

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
        lengths = mask.sum(dim=1).clamp(min=1)  # a packed sequence needs a step
        packed = pack_padded_sequence(self.embedding(tokens), lengths.cpu(), batch_first=True, enforce_sorted=False)
        with torch.autocast('cuda', enabled=False):
            states, last = self.gru(packed)
        states, _ = pad_packed_sequence(states, batch_first=True, total_length=tokens.shape[1])
        words = self._merge(states.unflatten(-1, (self.directions, -1))) * mask[..., None]  # (M, T, C)
        if self.pooling == 'mean':
            return TextFeatures(words=words, mask=mask, pooled=masked_mean(words, mask))
        pooled = self._merge(last[-self.directions :].transpose(0, 1)) * mask.any(dim=1, keepdim=True)
        return TextFeatures(words=words, mask=mask, pooled=pooled)

    def _merge(self, states: Tensor) -> Tensor:
        """(..., directions, hidden_channels) -> (..., C)."""
        return states.mean(dim=-2) if self.merge == 'mean' else torch.flatten(states, -2)
