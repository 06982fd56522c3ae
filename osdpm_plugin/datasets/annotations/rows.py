"""Columns of a table or keys of a JSON object -> file name, captions and split of one image."""

from __future__ import annotations

import ast
import contextlib
import json
import re
import warnings
from pathlib import PurePosixPath
from typing import Any, Mapping, NamedTuple, Optional, Sequence

from ...errors import DataError
from .file_names import name_some, usual_name

FILE_KEYS = ('filename', 'file_name', 'image')
OTHER_FILE_KEYS = ('filepath', 'file_path', 'image_path', 'img_path', 'path', 'file', 'image_name', 'img_name', 'img')
TEXT_KEYS = ('caption', 'text', 'title', 'sentence', 'description', 'comment', 'raw')

_QUOTED = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
_LIST = re.compile(rf'\[\s*(?:(?:{_QUOTED})\s*(?:,\s*)?)*\]', re.DOTALL)


class Keys(NamedTuple):
    """Which keys of a row say what.

    Attributes:
        filename: None: there is none.
        folder: key of the folder that ``filename`` lies in, as in COCO's file of Karpathy.
        captions: one key, or several that are numbered; empty: there is none.
        split: None: there is none.
    """

    filename: Optional[str]
    folder: Optional[str]
    captions: tuple[str, ...]
    split: Optional[str]


def choose_keys(names: Sequence[str], source: str) -> Keys:
    """Find the keys among the names of a row's columns; upper case, spaces and hyphens make no difference.

    The file name is ``filename``, ``file_name`` or ``image``, or the only one of `OTHER_FILE_KEYS`. The captions are
    ``caption``, or the only one of the other `TEXT_KEYS`, also in the plural or numbered: ``caption_1 .. caption_5``.

    Args:
        names: as the file spells them.
        source: the file or place, for messages.

    Raises:
        DataError: several may be meant.
    """
    usual = [re.sub(r'[\s-]+', '_', name.strip().lower()) for name in names]

    def spelled(key: str) -> str:
        if usual.count(key) > 1:
            raise DataError(f'{source} has the column {key} twice; rename one')
        return names[usual.index(key)]

    def only(found: Sequence[str], what: str) -> Optional[str]:
        if len(found) > 1:
            raise DataError(
                f'{source} has {" and ".join(found)}, each of which may be the {what}; rename the right one to {what}'
            )
        return found[0] if found else None

    first = next((key for key in FILE_KEYS if key in usual), None)
    file_key = first or only([key for key in OTHER_FILE_KEYS if key in usual], 'filename')
    numbers = {stem: _numbered(stem, usual) for stem in TEXT_KEYS}
    present = [stem for stem in TEXT_KEYS if numbers[stem]]
    stem = 'caption' if 'caption' in present else only(present, 'caption')
    captions = [] if stem is None else numbers[stem]
    if stem is not None and {stem, stem + 's'} <= set(captions):
        raise DataError(f'{source} has {stem} and {stem}s; remove or rename one')
    return Keys(
        None if file_key is None else spelled(file_key),
        spelled('filepath') if first in FILE_KEYS[:2] and 'filepath' in usual else None,
        tuple(map(spelled, captions)),
        spelled('split') if 'split' in usual else None,
    )


def _numbered(stem: str, usual: Sequence[str]) -> list[str]:
    """The keys of a stem: itself, its plural, then those with a number, in their order."""
    found = [re.fullmatch(rf'{stem}s?(?:_?(\d{{1,9}}))?', key) for key in dict.fromkeys(usual)]
    matches = [(int(match[1] or -1), match[0]) for match in found if match]
    return [key for _, key in sorted(matches)]


def file_in(folder: Any, filename: str) -> str:
    """Folder and name -> name; a ``folder`` that ends with the name is the whole name already."""
    if not isinstance(folder, str) or not folder.strip():
        return filename
    whole, name = PurePosixPath(usual_name(folder)), PurePosixPath(usual_name(filename))
    if whole.parts[-len(name.parts) :] == name.parts:
        return folder
    return f'{folder}/{filename}'


def captions_of(row: Mapping[str, Any], keys: Keys) -> Optional[list[str]]:
    """The captions of a row; None: a value is neither a text nor a list of texts.

    A list that was written into one cell, as ``['a park', 'a road']``, is several captions. Empty cells of numbered
    keys are no captions, unless all are.
    """
    texts: list[str] = []
    for key in keys.captions:
        value = row.get(key)
        if len(keys.captions) > 1 and (value is None or (isinstance(value, str) and not value.strip())):
            continue
        if isinstance(value, str):
            texts += split_list(value)
        elif isinstance(value, list) and all(isinstance(text, str) for text in value):
            texts += value
        else:
            return None
    return texts or ([''] if len(keys.captions) > 1 else texts)


def split_list(text: str) -> list[str]:
    """``"['a park', 'a road']"`` -> its texts; any other text -> itself alone.

    Lists of Python, JSON and NumPy (which writes no commas) are read.

    Raises:
        ValueError: a list that is damaged or was cut.
    """
    short = text.strip()
    if not re.match(r"""\[\s*['"]""", short) and short != '[]':
        return [text]
    if not _LIST.fullmatch(short):
        raise ValueError(f'{name_some([short[:60]])} begins like a list of texts and does not end like one')
    return [_unquoted(quoted) for quoted in re.findall(_QUOTED, short)]


def _unquoted(quoted: str) -> str:
    """A string as Python or JSON writes it -> its text."""
    if quoted[0] == '"':
        with contextlib.suppress(ValueError):
            return json.loads(quoted, strict=False)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # an unknown escape, such as \\p, stays as it is
            return ast.literal_eval(quoted.replace('\r', '\\r').replace('\n', '\\n'))
    except (SyntaxError, ValueError) as error:
        raise ValueError(f'{name_some([quoted[:60]])} is no string of Python or JSON ({error})') from error
