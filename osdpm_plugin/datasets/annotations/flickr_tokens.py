"""Tokens of Flickr8k and Flickr30k, ``a.jpg#0<TAB>a park`` a line -> entries, one a caption."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Iterable

from ...errors import DataError
from .records import Entry

_LINE = re.compile(r'([^\t]+\.\w+)#\d+\t(.*)')


def is_flickr_tokens(text: str) -> bool:
    """Whether the first line is of this layout."""
    return _LINE.fullmatch(text.lstrip().partition('\n')[0].strip('\r')) is not None


def flickr_entries(path: Path, text: str) -> Iterable[Entry]:
    """The entries of a file's text; ``path`` is for messages."""
    for number, line in enumerate(text.split('\n'), start=1):
        if not line.strip():
            continue
        match = _LINE.fullmatch(line.strip('\r'))
        if match is None:
            raise DataError(
                f'annotation file {path}: line {number} is not like the first, FILE#NUMBER, a tab and a caption; '
                'mend the line'
            )
        yield Entry(match[1].strip(), None, [match[2]], f'line {number}')
