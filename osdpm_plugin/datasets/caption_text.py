"""Caption text -> an identity that does not depend on case, punctuation, spacing or process."""

from __future__ import annotations

import hashlib
import re

_NOT_A_WORD = re.compile(r'[^\w]+')


def normalise_caption(caption: str) -> str:
    """Lower-case, punctuation to spaces, single spaces: ``'A Park .'`` and ``'a park'`` are one text."""
    return _NOT_A_WORD.sub(' ', caption.lower()).strip()


def caption_key(caption: str) -> int:
    """Signed 64-bit hash of the normalised text: equal captions have equal keys on every machine."""
    digest = hashlib.blake2b(normalise_caption(caption).encode(), digest_size=8).digest()
    return int.from_bytes(digest, 'big', signed=True)
