"""A list of JSON objects, JSON lines, or an object from file name to captions -> entries."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, Iterable

from ...errors import DataError
from .records import Entry
from .rows import Keys, captions_of, choose_keys, file_in

_EXPECTED = 'expected {"filename": .., "captions": [..] or "caption": .., "split"?: ..}'


def list_entries(content: list, path: Path) -> Iterable[Entry]:
    """The entries of a list of objects, as those of PIR, HarMA and BLIP; ``path`` is for messages."""
    return (row_entry(item, path, f'[{index}]') for index, item in enumerate(content))


def is_json_lines(text: str) -> bool:
    """Whether the first line is a whole JSON object and another line follows."""
    first, _, rest = text.strip().partition('\n')
    try:
        return isinstance(json.loads(first), dict) and bool(rest.strip())
    except (ValueError, RecursionError):
        return False


def line_entries(path: Path, text: str) -> Iterable[Entry]:
    """The entries of JSON lines; ``path`` is for messages."""
    for number, line in enumerate(text.split('\n'), start=1):
        if not line.strip():
            continue
        try:
            item = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f'annotation file {path}: line {number} is not JSON ({error})') from error
        yield row_entry(item, path, f'line {number}')


def is_by_name(content: Any) -> bool:
    """Whether a parsed file is an object from file name to a caption or a list of captions."""
    return (
        isinstance(content, dict)
        and len(content) > 0
        and all(PurePosixPath(name).suffix for name in content)
        and all(isinstance(value, (str, list)) for value in content.values())
    )


def by_name_entries(content: dict, path: Path) -> Iterable[Entry]:
    """The entries of such an object; ``path`` is for messages."""
    return (row_entry(dict(filename=name, caption=content[name]), path, repr(name)) for name in content)


def row_entry(item: Any, path: Path, where: str) -> Entry:
    """``{"filename", "captions" or "caption", "split"?}`` -> entry; for other names of keys see `choose_keys`."""
    place = f'annotation file {path}: {where}'
    if not isinstance(item, dict):
        raise DataError(f'{place} is {type(item).__name__}, not an object ({_EXPECTED})')
    keys = _keys(tuple(item), str(path))
    filename = None if keys.filename is None else item[keys.filename]
    if not isinstance(filename, str):
        raise DataError(f"{place} lacks a text 'filename' ({_EXPECTED})")
    plural_text = len(keys.captions) == 1 and keys.captions[0].endswith('s') and isinstance(item[keys.captions[0]], str)
    try:
        captions = captions_of(item, keys) if keys.captions else None
    except ValueError as error:
        raise DataError(f'{place}: {error}; write a list of texts') from error
    if captions is None or plural_text:
        raise DataError(f"{place} lacks a list of texts 'captions' ({_EXPECTED})")
    split = None if keys.split is None else item[keys.split]
    if split is not None and not isinstance(split, str):
        raise DataError(f"{place}['split'] must be str, got {type(split).__name__}")
    folder = None if keys.folder is None else item[keys.folder]
    return Entry(file_in(folder, filename), split or None, captions, where)


@lru_cache(maxsize=64)
def _keys(names: tuple[str, ...], path: str) -> Keys:
    return choose_keys(names, f'annotation file {path}')
