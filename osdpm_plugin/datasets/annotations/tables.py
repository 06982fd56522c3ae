"""Tables, whatever separates their columns: comma, semicolon, tab or bar -> entries, one a row."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import Iterable

from ...errors import DataError
from .file_names import name_some
from .records import Entry
from .rows import FILE_KEYS, captions_of, choose_keys, file_in

DELIMITERS = {',': 'a comma', '\t': 'a tab', ';': 'a semicolon', '|': 'a bar'}

_IMAGE = re.compile(r'\.(jpe?g|png|tiff?|webp|bmp|jp2|gif)$', re.IGNORECASE)


def table_entries(path: Path, text: str) -> Iterable[Entry]:
    """The entries of a table's text; ``path`` is for messages.

    The first line names the columns, see `choose_keys`. What separates them is seen from it too, whether the file is
    called .csv, .tsv or otherwise.
    """
    source = f'annotation file {path}'
    skip = re.match(r'sep=.\r?\n', text)  # the line that tells Excel what separates columns
    text = text[skip.end() :] if skip else text
    skipped = 1 if skip else 0
    delimiter = _delimiter(source, text)
    reader = csv.reader(io.StringIO(text, newline=''), delimiter=delimiter, strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        keys = choose_keys(header, source)
        missing = [FILE_KEYS[0]] * (keys.filename is None) + ['caption'] * (not keys.captions)
        if missing:
            raise DataError(
                f'{source} lacks the column {" and ".join(missing)}; it has {name_some(header, most=10) or "none"} '
                f'({_expected(header)})'
            )
        for fields in reader:
            if not any(field.strip() for field in fields):
                continue
            where = f'line {reader.line_num + skipped}'
            if len(fields) != len(header):
                raise DataError(
                    f'{source}: {where} has {len(fields)} fields, the first line has {len(header)}; '
                    f'put captions that hold {DELIMITERS[delimiter]} in double quotes'
                )
            row = dict(zip(header, fields))
            try:
                captions = captions_of(row, keys) or []
            except ValueError as error:
                raise DataError(f'{source}: {where}: {error}; put the whole list into the cell') from error
            assert keys.filename is not None
            filename = row[keys.filename].strip()
            if keys.folder is not None:
                filename = file_in(row[keys.folder].strip(), filename)
            split = row[keys.split].strip() if keys.split is not None else None
            yield Entry(filename, split or None, captions, where)
    except csv.Error as error:
        raise DataError(f'{source}: line {reader.line_num + skipped} is not CSV ({error})') from error


def _delimiter(source: str, text: str) -> str:
    """What separates columns so that the first line names a file and a caption; else what separates most of them."""
    headers: dict[str, list[str]] = {}
    for delimiter in DELIMITERS:
        try:
            headers[delimiter] = next(csv.reader(io.StringIO(text, newline=''), delimiter=delimiter, strict=True), [])
        except csv.Error:
            continue
        keys = choose_keys(headers[delimiter], source)
        if keys.filename is not None and keys.captions:
            return delimiter
    return max(headers, key=lambda delimiter: len(headers[delimiter]), default=',')


def _expected(header: list[str]) -> str:
    if any(_IMAGE.search(name) for name in header):
        return 'the first line is an image already; write filename,caption or filename,caption,split above it'
    return 'expected filename,caption[,split] in the first line'
