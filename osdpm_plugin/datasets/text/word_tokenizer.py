"""Captions -> (M, T) int64 hashes of their words, which need no vocabulary file."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

import numpy as np

from ...registry import TASK_UTILS
from ...utils.checks import check_int
from .caption_text import normalise_caption

PADDING_ID = 0

_IDEOGRAPHS = r'\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff'
_WORD = re.compile(rf'[{_IDEOGRAPHS}]|[^\s{_IDEOGRAPHS}]+')


def split_caption(caption: str) -> list[str]:
    """The words of a caption: lower-case, punctuation separates. Equal ``caption_keys`` mean equal words.

    Each Chinese character and each kana is a word. Other scripts without spaces, such as Thai, are cut at spaces alone.
    """
    return _WORD.findall(normalise_caption(caption))


def word_id(word: str) -> int:
    """Positive 63-bit hash of a word, the same on every machine; never `PADDING_ID`."""
    digest = hashlib.blake2b(word.encode(), digest_size=8).digest()
    return max(int.from_bytes(digest, 'big') >> 1, PADDING_ID + 1)


@TASK_UTILS.register_module()
class WordTokenizer:
    """Whole words, for towers that learn an embedding of each word of the training captions (`WordEmbedding`).

    A word's id is a hash of its spelling. So a pipeline needs no vocabulary, worker processes have nothing to load, and
    captions tokenized for training, for a test or by a user are the same numbers. The text tower alone holds the
    vocabulary, the known words and the row of the embedding of each: `VocabularyHook` fills it from the training
    captions before training, and the checkpoint saves it with the weights.

    Args:
        context_length: T; longer captions are cut. The longest of the remote-sensing sets has 34 words.

    Attributes:
        context_length: T.
        pad_token_id: id that fills the rest of a row.

    Raises:
        ConfigError: a context length without room for a word.
    """

    def __init__(self, *, context_length: int = 47) -> None:
        self.context_length = check_int(
            'WordTokenizer', 'context_length', context_length, hint='47 holds the captions of all remote-sensing sets'
        )
        self.pad_token_id = PADDING_ID

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """(M,) captions -> (M, T) int64; a caption without words is a row of padding.

        Raises:
            TypeError: ``texts`` is a single string.
        """
        if isinstance(texts, str):
            raise TypeError(f'a tokenizer takes a list of captions, got the string {texts!r}; write [caption]')
        tokens = np.full((len(texts), self.context_length), PADDING_ID, dtype=np.int64)
        for row, text in zip(tokens, texts):
            ids = [word_id(word) for word in split_caption(text)[: self.context_length]]
            row[: len(ids)] = ids
        return tokens

    def count(self, text: str) -> int:
        """The number of words of a text, however long it is."""
        return len(split_caption(text))

    def __repr__(self) -> str:
        return f'{type(self).__name__}(context_length={self.context_length})'
