"""Caption -> a key that does not depend on case, punctuation, spacing, Unicode composition or process."""

from __future__ import annotations

import hashlib
import re
import unicodedata

_NOT_A_WORD = re.compile(r'[^\w]+')


def normalise_caption(caption: str) -> str:
    """Lower-case, NFC, punctuation to spaces, single spaces: ``'A Park .'`` and ``'a park'`` are one text.

    The vowel signs and accents that follow a letter (Unicode categories Mn and Mc) stay with it.
    """
    text = unicodedata.normalize('NFC', caption.lower())
    return _NOT_A_WORD.sub(_marks_and_space, text).strip()


def caption_key(caption: str) -> int:
    """Signed 64-bit hash of the normalised text: equal captions have equal keys on every machine."""
    digest = hashlib.blake2b(normalise_caption(caption).encode(), digest_size=8).digest()
    return int.from_bytes(digest, 'big', signed=True)


def _marks_and_space(gap: re.Match[str]) -> str:
    """The text between two words -> the marks of the last letter, and a space if there is anything else."""
    text = gap[0]
    marks = 0
    while gap.start() > 0 and marks < len(text) and unicodedata.category(text[marks]) in ('Mn', 'Mc'):
        marks += 1
    return text[:marks] + ' ' * (marks < len(text))
