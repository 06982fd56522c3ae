"""Captions and a tokenizer -> those that are longer than its context, of which a model never sees the end."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Optional

from mmengine.logging import print_log


def cut_captions(tokenizer: Any, texts: Sequence[str]) -> list[str]:
    """The texts of more than T tokens, start and end included, in their order.

    Words are counted once each, so that a set of captions takes a second; the few that may be too long are then counted
    whole.

    Args:
        tokenizer: has ``context_length`` and ``count``, as those of this folder; one without ``count`` cuts nothing
            that could be seen.
        texts: captions.
    """
    count: Optional[Callable[[str], int]] = getattr(tokenizer, 'count', None)
    if count is None:
        return []
    ends = count('')
    of_word = lru_cache(maxsize=None)(lambda word: count(word) - ends)
    length = tokenizer.context_length
    return [t for t in texts if ends + sum(map(of_word, t.split())) > length and count(t) > length]


def warn_of_cut(tokenizer: Any, texts: Sequence[str], source: str) -> None:
    """Log one line if some texts are cut.

    Args:
        tokenizer: see `cut_captions`.
        texts: captions or queries.
        source: what they are, for the message.
    """
    cut = cut_captions(tokenizer, texts)
    if cut:
        print_log(
            f'{source}: {len(cut)} of {len(texts)} are cut at {tokenizer.context_length} tokens, first {cut[0]!r}; '
            'shorten them, or raise context_length if the text tower takes more',
            logger='current',
            level=logging.WARNING,
        )
