"""Word ids -> learned vectors, one a word of the training captions."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from ...datasets.text.word_tokenizer import PADDING_ID, word_id
from ...errors import ConfigError

_PADDING_ROW, _UNKNOWN_ROW, _FIRST_ROW = 0, 1, 2
_FREE = torch.iinfo(torch.int64).max
_SPELLING_BYTES = 32


class WordEmbedding(nn.Module):
    """Ids of `WordTokenizer` -> vectors.

    The vocabulary is two buffers, saved with the weights: ``word_ids``, sorted, finds a word's row by bisection, and
    ``spelling`` keeps the words themselves for a reader of the checkpoint (32 bytes of UTF-8 each; the rest of a longer
    word is lost there, and nowhere else). Row 0 is padding, always zero; row 1 stands for every unknown word.

    Args:
        vocab_size: rows, those of padding and unknown words included. It may exceed the number of words.
        channels: C.

    Raises:
        ConfigError: ``vocab_size`` leaves no room for a word.
    """

    word_ids: Tensor
    spelling: Tensor

    def __init__(self, vocab_size: int, channels: int) -> None:
        super().__init__()
        if vocab_size <= _FIRST_ROW:
            raise ConfigError(
                f'vocab_size must be at least {_FIRST_ROW + 1} (padding, unknown words, a word), got {vocab_size}'
            )
        self.weights = nn.Embedding(vocab_size, channels, padding_idx=_PADDING_ROW)
        nn.init.uniform_(self.weights.weight[_UNKNOWN_ROW:], -0.1, 0.1)
        self.register_buffer('word_ids', torch.full((vocab_size - _FIRST_ROW,), _FREE))
        self.register_buffer('spelling', torch.zeros(vocab_size - _FIRST_ROW, _SPELLING_BYTES, dtype=torch.uint8))

    @property
    def has_vocabulary(self) -> bool:
        """Whether there is a word."""
        return bool(self.word_ids[0] != _FREE)

    @property
    def vocabulary(self) -> list[str]:
        """The words, in the order of their rows; empty before `set_vocabulary`."""
        known = int((self.word_ids != _FREE).sum())
        return [bytes(row).rstrip(b'\0').decode(errors='ignore') for row in self.spelling[:known].cpu().tolist()]

    def set_vocabulary(self, words: Iterable[str]) -> None:
        """Give each word a row, in an order that depends on nothing but the words.

        Args:
            words: in any order, repeated or not.

        Raises:
            ConfigError: there are no words, or more than rows.
        """
        by_id = {word_id(word): word for word in words}
        capacity = len(self.word_ids)
        if not 0 < len(by_id) <= capacity:
            raise ConfigError(
                f'the training captions have {len(by_id)} words, and vocab_size={capacity + _FIRST_ROW} of the text '
                f'tower takes 1 to {capacity}; set it to {len(by_id) + _FIRST_ROW} or more'
            )
        ids = torch.full((capacity,), _FREE)
        spelling = torch.zeros(capacity, _SPELLING_BYTES, dtype=torch.uint8)
        for row, (key, word) in enumerate(sorted(by_id.items())):
            letters = word.encode()[:_SPELLING_BYTES]
            ids[row] = key
            spelling[row, : len(letters)] = torch.tensor(list(letters), dtype=torch.uint8)
        self.word_ids.copy_(ids)
        self.spelling.copy_(spelling)

    def holds(self, words: Iterable[str]) -> bool:
        """Whether the vocabulary is exactly these words."""
        ids = self.word_ids[self.word_ids != _FREE].tolist()
        return ids == sorted({word_id(word) for word in words})

    def rows(self, tokens: Tensor) -> Tensor:
        """Ids (M, T) int64 of `WordTokenizer` -> rows of the embedding (M, T) int64.

        Raises:
            ConfigError: the vocabulary is empty.
        """
        if not self.has_vocabulary:
            raise ConfigError(
                "the text tower has no vocabulary; load a checkpoint, or train with dict(type='VocabularyHook') in "
                'custom_hooks'
            )
        found = torch.searchsorted(self.word_ids, tokens).clamp(max=len(self.word_ids) - 1)
        rows = torch.where(self.word_ids[found] == tokens, found + _FIRST_ROW, _UNKNOWN_ROW)
        return rows.masked_fill(tokens == PADDING_ID, _PADDING_ROW)

    def forward(self, tokens: Tensor) -> Tensor:
        """(M, T) int64 -> (M, T, C), zero where there is padding.

        Raises:
            ConfigError: the vocabulary is empty.
        """
        return self.weights(self.rows(tokens))
