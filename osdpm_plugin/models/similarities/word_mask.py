"""TextFeatures -> words without padding, for similarities that compare words."""

from __future__ import annotations

from torch import Tensor

from ...structures import TextFeatures


def padded_words(texts: TextFeatures) -> tuple[Tensor, Tensor]:
    """The words with zeros in place of padding, so that nothing of it, NaN included, reaches a score.

    A caption without any word counts as one zero word: its score is finite and the same for every image.

    Args:
        texts: M captions of T tokens.

    Returns:
        words: (M, T, D).
        mask: (M, T) bool with at least one true in each row.
    """
    words = texts.words.masked_fill(~texts.mask[..., None], 0.0)
    mask = texts.mask.clone()
    mask[:, 0] |= ~texts.mask.any(dim=1)
    return words, mask


def longest_caption(texts: TextFeatures) -> TextFeatures:
    """The captions without the columns in which none of them has a word; one column at least stays."""
    occupied = texts.mask.any(dim=0).nonzero()
    length = int(occupied[-1]) + 1 if len(occupied) else 1
    return TextFeatures(words=texts.words[:, :length], mask=texts.mask[:, :length], pooled=texts.pooled)
