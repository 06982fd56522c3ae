"""Text -> words, and a noun -> its singular and plural: the two rules on which matching rests."""

from __future__ import annotations

import contextlib
import re
import unicodedata
from functools import cache
from importlib.util import find_spec
from typing import Any
from unittest import mock

PHRASE_BREAK = ''

_POSSESSIVE = re.compile(r"['’]s?(?!\w)")
_WORD_OR_BREAK = re.compile(r'[^\W_]+|[.,;:!?()\[\]{}"“”/|–—]')


def split_words(text: str) -> list[str]:
    """Lower-case words of a text; `PHRASE_BREAK` stands where punctuation keeps two words from being one phrase.

    Hyphens, underscores and white space only separate words: ``Parking-Lot``, ``parking_lot`` and ``parking lot`` are
    the same two words, while ``a car, parks`` can never be the phrase *car parks*. A possessive ``'s`` is dropped. Any
    string is accepted.
    """
    text = _POSSESSIVE.sub(' ', unicodedata.normalize('NFKC', text).lower())
    return [token if token[0].isalnum() else PHRASE_BREAK for token in _WORD_OR_BREAK.findall(text)]


@cache
def noun_forms(noun: str) -> tuple[str, ...]:
    """Spellings of one noun in singular and plural, itself first, by the rules and exceptions of `inflect`.

    The other direction, a lemma of each word of a caption, is not taken: lemmatisers fold verbs into nouns (*planes are
    parked* -> park, *trees are planted* -> plant). `inflect` cannot know whether a word is singular, so a non-word such
    as *carss* or *tenni* may be among the forms; no caption contains it.
    """
    forms = noun, _engine().plural_noun(noun), _engine().singular_noun(noun)  # the last is False for a singular
    return tuple(dict.fromkeys(str(form) for form in forms if form))


def with_article(noun: str) -> str:
    """``tree`` -> ``a tree``, ``airport`` -> ``an airport``."""
    return str(_engine().a(noun))


@cache
def _engine() -> Any:
    """Shared `inflect` engine; imported here since the import takes time.

    Most of that went into `typeguard`, which writes run-time checks of types into every method; the texts of this
    module are strings, so the import goes without them.
    """
    without_checks: Any = contextlib.nullcontext()
    if find_spec('typeguard') is not None:
        without_checks = mock.patch('typeguard.typechecked', lambda target: target)
    with without_checks:
        import inflect

    return inflect.engine()
