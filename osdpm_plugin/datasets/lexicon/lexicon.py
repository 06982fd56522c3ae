"""A file of object categories -> `Lexicon`; captions -> the categories that they name."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Optional, Union

import numpy as np

from ...errors import ConfigError, DataError
from .lexicon_file import read_lexicon_file
from .words import PHRASE_BREAK, noun_forms, phrase_lengths, split_characters, split_words, with_article

_EXACT = '='
_IGNORED = -1
_PROMPT = 'a remote sensing image of {}'


class Lexicon:
    """Canonical categories with their surface forms, and a matcher of captions.

    A caption is split into words (`split_words`) and read from left to right; at each word the longest surface form
    wins, and reading continues after it. So *parking lot* is never a *park*, *football field* never a *field*, and
    *airport* contains no *port*, since whole words are compared. The words of a caption are not lemmatised, so *parked*
    and *planted* name no object.

    A surface form stands for itself, for singular and plural of its last word, and for the same words written together
    (``baseball field``: *baseball fields*, *baseballfield*, *baseballfields*). A form with a leading ``=`` stands for
    exactly the words that follow (``=flats``: not the adjective *flat*). A listed form wins over one that is derived
    from a form of another category. The canonical name is a surface form itself.

    Of a language that is written without spaces (``spaces=False``, Chinese) a word is one character
    (`split_characters`), and forms have no other spellings. The longest form wins there too, so a form or an ignored
    phrase is listed for each word that begins like an object and is none: *停车场* is no *车*, *火车站* no *火车*.

    Instances are immutable and can be pickled. The order of ``categories`` is that of the mapping: index o of every
    (O,) array is ``categories[o]``.

    Args:
        categories: canonical name -> surface forms (synonyms, phrases, misspellings); may be empty lists.
        name: shown by ``repr`` only.
        ignored: phrases that look like objects but are not (``in the center``, ``tire track``), matched like forms.
        mass_nouns: categories whose name takes no article in a prompt (``farmland``).
        spaces: whether the language separates words by spaces; without them no name takes an article.
        prompt: template of `prompts`.

    Raises:
        DataError: no category, a name or form that is no phrase of words, a form listed for two categories (or ignored
            as well), a form derived from two categories, a mass noun that is no category, ``spaces`` that is no bool,
            or a prompt that takes no category.

    Example:
        >>> Lexicon({'car': ['automobile'], 'parking lot': ['car park']}).find('Cars and trucks on two car parks.')
        ('car', 'parking lot')
    """

    def __init__(
        self,
        categories: Mapping[str, Sequence[str]],
        *,
        name: str = 'custom',
        ignored: Sequence[str] = (),
        mass_nouns: Sequence[str] = (),
        spaces: bool = True,
        prompt: str = _PROMPT,
    ) -> None:
        if not isinstance(categories, Mapping) or not categories:
            raise DataError('categories must be a mapping of at least one canonical name to its surface forms')
        self._name = name
        self._categories = tuple(categories)
        self._mass_nouns = frozenset(_strings('mass_nouns', mass_nouns))
        unknown = sorted(self._mass_nouns.difference(self._categories))
        if unknown:
            raise DataError(f'mass_nouns names {unknown[0]!r}, which is no category; correct the spelling or remove it')
        if not isinstance(spaces, bool):
            raise DataError(f'spaces must be true or false, got {spaces!r}; false is for languages without spaces')
        self._spaces, self._prompt = spaces, prompt
        try:
            _check_template(prompt)
        except ConfigError as error:
            raise DataError(str(error)) from None
        self._table = self._build_table(categories, _strings('ignored', ignored))
        self._lengths = phrase_lengths(self._table)

    @classmethod
    def default(cls) -> Lexicon:
        """The shipped lexicon (``remote_sensing.json``): 100 categories, from tree to golf bunker.

        They are the classes of RSITMD, RSICD (AID), UCM, NWPU-RESISC45, DOTA, DIOR and xView, some of them merged, and
        the frequent object nouns of the training captions of RSICD and UCM-Captions, with the misspellings found there.
        Interpretation: the choice of categories and synonyms is ours; the paper publishes no list.
        """
        return _default()

    @classmethod
    def from_file(cls, path: Union[str, Path]) -> Lexicon:
        """Read a lexicon from a JSON file, or a shipped one by its name.

        The layout is ``{"categories": {"tree": ["palm", "tress"], ...}}``; the other arguments of the constructor are
        optional and mean what they mean there. Shipped are ``remote_sensing``, the default, and ``remote_sensing_zh``:
        the same 100 categories in the same order, for captions in simplified Chinese. Its prompts are Chinese, so it
        goes with text towers that read Chinese (`HFTextTower` on a Chinese or multilingual model, `GRUTextTower`);
        CLIP's own tokenizer and text towers know English alone.

        Raises:
            DataError: the file is missing, is not JSON, has another layout, or the constructor refuses its content.
        """
        content = read_lexicon_file(path)
        try:
            return cls(**content)
        except DataError as error:
            raise DataError(f'lexicon file {path}: {error}') from None

    @property
    def categories(self) -> tuple[str, ...]:
        """Canonical names (O,), in the order of every array and prompt."""
        return self._categories

    @property
    def forms(self) -> Mapping[str, str]:
        """Every spelling that is matched, derived ones included -> canonical name. Read-only."""
        table = self._table.items()
        return MappingProxyType({self._spelling(phrase): self._categories[o] for phrase, o in table if o != _IGNORED})

    @property
    def spaces(self) -> bool:
        """Whether the language separates words by spaces."""
        return self._spaces

    @property
    def ignored(self) -> frozenset[str]:
        """Every spelling that is skipped without naming an object, derived ones included."""
        return frozenset(self._spelling(phrase) for phrase, o in self._table.items() if o == _IGNORED)

    @property
    def digest(self) -> str:
        """Hexadecimal SHA-256 of all that decides counts and prompts: categories in order, spellings, mass nouns.

        The order of synonyms, repeated synonyms and the name of the lexicon do not change it.
        """
        content: list[object] = [self._categories, sorted(self._table.items()), sorted(self._mass_nouns)]
        if not self._spaces or self._prompt != _PROMPT:
            content.append((self._spaces, self._prompt))
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    def find(self, caption: str) -> tuple[str, ...]:
        """Categories that a caption names, in order of first occurrence, each once.

        Raises:
            TypeError: ``caption`` is not a string.
        """
        return tuple(self._categories[o] for o in self._find(caption))

    def count(self, captions: Sequence[str]) -> np.ndarray:
        """How many of the captions name each category.

        A caption counts at most once for a category; each of several equal captions counts. Priors must be counted on
        training captions only; the caller is responsible for that.

        Returns:
            (O,) int64.

        Raises:
            TypeError: ``captions`` is one string, or holds values that are not strings.
        """
        if isinstance(captions, str):
            raise TypeError('captions must be a sequence of strings, got one string; use [caption]')
        counts = np.zeros(len(self), dtype=np.int64)
        for caption, times in Counter(captions).items():
            counts[self._find(caption)] += times
        return counts

    def prompts(self, template: Optional[str] = None, names: Optional[Sequence[str]] = None) -> list[str]:
        """One prompt a category, or for each of other ``names``; without a template by the lexicon's own.

        ``{}`` takes the name with its indefinite article: *a remote sensing image of a tree*, *... of an airport*, but
        *... of farmland* for mass nouns. ``{name}`` takes the bare name, for a template that has its own article
        (``'the {name} from above'``). Interpretation: the article is ours, since text towers were trained on whole
        sentences.

        Raises:
            ConfigError: the template has no placeholder for the name, or other placeholders.
        """
        template = self._prompt if template is None else template
        _check_template(template)
        return [
            template.format(with_article(name) if self._spaces and name not in self._mass_nouns else name, name=name)
            for name in (self._categories if names is None else names)
        ]

    def __len__(self) -> int:
        return len(self._categories)

    def __repr__(self) -> str:
        return f'Lexicon(name={self._name!r}, categories={len(self)}, forms={len(self.forms)})'

    def _find(self, caption: str) -> list[int]:
        """Indices of the categories in order of first occurrence."""
        if not isinstance(caption, str):
            raise TypeError(f'a caption must be a string, got {type(caption).__name__}')
        words, start = self._split(caption), 0
        found: dict[int, None] = {}
        while start < len(words):
            for length in self._lengths.get(words[start], ()):
                category = self._table.get(' '.join(words[start : start + length]))
                if category is not None and start + length <= len(words):
                    found[category] = None
                    start += length
                    break
            else:
                start += 1
        found.pop(_IGNORED, None)
        return list(found)

    def _split(self, text: str) -> list[str]:
        return split_words(text) if self._spaces else split_characters(text)

    def _spelling(self, phrase: str) -> str:
        """A key of the table as it is written."""
        return phrase if self._spaces else phrase.replace(' ', '')

    def _build_table(self, categories: Mapping[str, Sequence[str]], ignored: Sequence[str]) -> dict[str, int]:
        """Matched phrase -> index of its category, or `_IGNORED`."""
        listed: dict[str, int] = {}
        derived: dict[str, Optional[int]] = {}
        for index, (name, forms) in enumerate(categories.items()):
            if not isinstance(name, str):
                raise DataError(f'category {name!r} must be a string, got {type(name).__name__}; quote it')
            where = f'category {name!r}'
            for form in (name, *_strings(where, forms)):
                self._add(form, where, index, listed, derived)
        for form in ignored:
            self._add(form, 'ignored', _IGNORED, listed, derived)
        table = dict(listed)
        for phrase, owner in derived.items():
            if phrase in listed:
                continue
            if owner is None:
                raise DataError(
                    f'{phrase!r} is a singular, plural or joined spelling of forms of two categories; list '
                    'it under one of them'
                )
            table[phrase] = owner
        return table

    def _add(
        self, form: str, where: str, index: int, listed: dict[str, int], derived: dict[str, Optional[int]]
    ) -> None:
        """Enter a form into ``listed`` and its other spellings into ``derived`` (None marks a conflict)."""
        exact = form.startswith(_EXACT)
        words = self._split(form[len(_EXACT) :] if exact else form)
        if not words or PHRASE_BREAK in words:
            raise DataError(
                f'{where} has the form {form!r}, which is not one phrase of words; remove its punctuation or the form'
            )
        phrase = ' '.join(words)
        owner = listed.setdefault(phrase, index)
        if owner != index:
            owners = ' and '.join('ignored' if o == _IGNORED else repr(self._categories[o]) for o in (owner, index))
            raise DataError(f'the form {self._spelling(phrase)!r} is listed for both {owners}; keep it in one of them')
        if self._spaces and not exact:
            for last in noun_forms(words[-1]):
                for spelling in (' '.join((*words[:-1], last)), ''.join((*words[:-1], last))):
                    derived[spelling] = index if derived.get(spelling, index) == index else None


def _check_template(template: str) -> None:
    mark = '\0'
    try:
        fits = mark in template.format(mark, name=mark)
    except (AttributeError, IndexError, KeyError, ValueError):
        fits = False
    if not fits:
        raise ConfigError(
            f'prompt template {template!r} cannot take a category; give it one {{}} (name with '
            'article) or one {name} (name alone)'
        )


def _strings(where: str, values: Sequence[str]) -> tuple[str, ...]:
    """The values as a tuple, if they are a sequence of strings."""
    if isinstance(values, str) or not isinstance(values, (Sequence, set, frozenset)):
        raise DataError(f'{where} must have a list of strings, got {values!r}; write it in brackets')
    for value in values:
        if not isinstance(value, str):
            raise DataError(f'{where} must have a list of strings, got the element {value!r}; quote or remove it')
    return tuple(values)


@cache
def _default() -> Lexicon:
    return Lexicon.from_file('remote_sensing')
