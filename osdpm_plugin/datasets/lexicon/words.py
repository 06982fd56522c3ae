"""Text -> words (characters, where no spaces are written); a noun -> its singular and plural: the rules of matching."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

PHRASE_BREAK = ''
FORMS_FILE = Path(__file__).with_name('forms.json')  # written by regenerate_forms.py

_POSSESSIVE = re.compile(r"['’]s?(?!\w)")
_BREAKS = r'.,;:!?()\[\]{}"“”/|–—'
_WORD_OR_BREAK = re.compile(rf'[^\W_]+|[{_BREAKS}]')
_CHARACTER_OR_BREAK = re.compile(rf'[a-z0-9]+|[^\W_]|[{_BREAKS}。、《》〈〉「」『』【】…·]')


def split_words(text: str) -> list[str]:
    """Lower-case words of a text; `PHRASE_BREAK` marks punctuation that separates phrases.

    Hyphens, underscores and white space only separate words: ``Parking-Lot``, ``parking_lot`` and ``parking lot`` are
    the same two words, while ``a car, parks`` can never be the phrase *car parks*. A possessive ``'s`` is dropped. Any
    string is accepted.
    """
    text = _POSSESSIVE.sub(' ', unicodedata.normalize('NFKC', text).lower())
    return [token if token[0].isalnum() else PHRASE_BREAK for token in _WORD_OR_BREAK.findall(text)]


def split_characters(text: str) -> list[str]:
    """As `split_words` for text without spaces: each character is a word, and so is a run of Latin letters and digits.

    White space separates nothing, so a text that someone has cut into words reads like one that nobody has.
    """
    text = unicodedata.normalize('NFKC', text).lower()
    return [token if token[0].isalnum() else PHRASE_BREAK for token in _CHARACTER_OR_BREAK.findall(text)]


def phrase_lengths(phrases: Iterable[str]) -> dict[str, tuple[int, ...]]:
    """First word -> numbers of words of the phrases that begin with it, longest first."""
    lengths: dict[str, set[int]] = {}
    for phrase in phrases:
        words = phrase.split(' ')
        lengths.setdefault(words[0], set()).add(len(words))
    return {first: tuple(sorted(found, reverse=True)) for first, found in lengths.items()}


@cache
def noun_forms(noun: str) -> tuple[str, ...]:
    """Spellings of one noun in singular and plural, itself first, by the rules and exceptions of `inflect`.

    The forms of nouns of the shipped lexicon are read from ``forms.json``, since importing `inflect` takes a second.

    The words of captions are not lemmatised, since lemmatisers turn verbs into nouns (*planes are parked* -> park,
    *trees are planted* -> plant). `inflect` cannot know whether a word is singular, so a non-word such
    as *carss* or *tenni* may be among the forms; no caption contains it.
    """
    forms = _shipped()['forms'].get(noun)
    return tuple(inflected_forms(noun) if forms is None else forms)


def with_article(noun: str) -> str:
    """``tree`` -> ``a tree``, ``airport`` -> ``an airport``."""
    return f'{_shipped()["articles"].get(noun) or inflected_article(noun)} {noun}'


def inflected_forms(noun: str) -> list[str]:
    """`noun_forms` of any noun, by `inflect` itself."""
    forms = noun, _engine().plural_noun(noun), _engine().singular_noun(noun)  # the last is False for a singular
    return list(dict.fromkeys(str(form) for form in forms if form))


def inflected_article(noun: str) -> str:
    """``a`` or ``an``, by `inflect` itself."""
    return str(_engine().a(noun)).split()[0]


@cache
def _shipped() -> dict[str, dict[str, Any]]:
    return json.loads(FORMS_FILE.read_text(encoding='utf-8'))


@cache
def _engine() -> Any:
    """Shared `inflect` engine; imported here since the import is slow."""
    import inflect

    return inflect.engine()
