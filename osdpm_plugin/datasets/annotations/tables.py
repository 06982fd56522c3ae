"""A user's own annotation file, CSV, JSONL or JSON -> list of `ImageRecord`."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any, Iterable, NamedTuple, Optional

from ...errors import DataError
from .json_files import (
    BlankCaptions,
    Entry,
    ImageRecord,
    build_records,
    karpathy_records,
    load_json,
    name_some,
    nwpu_records,
    read_text,
)

FILENAME_KEYS = ('filename', 'image')


class TableRow(NamedTuple):
    """One row of a table or one line of JSON: some captions of an image."""

    where: str
    filename: str
    split: Optional[str]
    captions: list[str]


def read_annotations(path: Path, *, blank_captions: BlankCaptions = 'raise') -> list[ImageRecord]:
    """Read an annotation file of any known layout, told apart by suffix and then by content.

    ======================  ==========================================================================================
    ``.csv``                columns ``filename,caption[,split]``; several rows of an image are several captions
    ``.jsonl``              a line is ``{"filename": .., "captions": [..] or "caption": .., "split"?: ..}``
    ``.json``               the Karpathy layout, that of NWPU-Captions, or a list of the objects of ``.jsonl``
    anything else           JSON if it begins like JSON, else CSV
    ======================  ==========================================================================================

    The name ``image`` is accepted for ``filename``. Unknown columns and keys are ignored. Text is UTF-8.

    Args:
        path: the annotation file.
        blank_captions: see `build_records`.

    Raises:
        DataError: the file is missing, of no known layout, lacks a column or key, or breaks a rule of `build_records`.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    text = read_text(path)
    if suffix == '.csv' or (suffix not in ('.json', '.jsonl', '.ndjson') and text.lstrip()[:1] not in ('{', '[')):
        return build_records(path, _group(path, _csv_rows(path, text)), blank_captions=blank_captions)
    if suffix in ('.jsonl', '.ndjson') or (suffix != '.json' and _is_json_lines(text)):
        return build_records(path, _group(path, _jsonl_rows(path, text)), blank_captions=blank_captions)
    content = load_json(path)
    if isinstance(content, list):
        rows = [_row(item, path, f'[{index}]') for index, item in enumerate(content)]
        return build_records(path, _group(path, rows), blank_captions=blank_captions)
    by_class = isinstance(content, dict) and 'images' not in content and len(content) > 0
    if by_class and all(isinstance(images, list) for images in content.values()):
        return nwpu_records(content, path, blank_captions=blank_captions)
    return karpathy_records(content, path, blank_captions=blank_captions)


def _csv_rows(path: Path, text: str) -> Iterable[TableRow]:
    reader = csv.reader(io.StringIO(text, newline=''), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        filename_key = next((key for key in FILENAME_KEYS if key in header), FILENAME_KEYS[0])
        missing = [name for name in (filename_key, 'caption') if name not in header]
        if missing:
            raise DataError(
                f'annotation file {path} lacks the column {" and ".join(missing)}; '
                f'it has {name_some(header, most=10) or "none"} (expected filename,caption[,split] in the first line)'
            )
        twice = [name for name in (filename_key, 'caption', 'split') if header.count(name) > 1]
        if twice:
            raise DataError(f'annotation file {path} has the column {" and ".join(twice)} twice; rename one')
        for fields in reader:
            if not any(field.strip() for field in fields):
                continue
            if len(fields) != len(header):
                raise DataError(
                    f'annotation file {path}: line {reader.line_num} has {len(fields)} fields, the first line has '
                    f'{len(header)}; put captions that hold a comma in double quotes'
                )
            row = dict(zip(header, fields))
            split = row['split'].strip() if 'split' in row else None
            yield TableRow(f'line {reader.line_num}', row[filename_key].strip(), split or None, [row['caption']])
    except csv.Error as error:
        raise DataError(f'annotation file {path}: line {reader.line_num} is not CSV ({error})') from error


def _jsonl_rows(path: Path, text: str) -> Iterable[TableRow]:
    for number, line in enumerate(text.split('\n'), start=1):
        if not line.strip():
            continue
        try:
            item = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f'annotation file {path}: line {number} is not JSON ({error})') from error
        yield _row(item, path, f'line {number}')


def _row(item: Any, path: Path, where: str) -> TableRow:
    """``{"filename", "captions" or "caption", "split"?}`` -> row."""
    expected = 'expected {"filename": .., "captions": [..] or "caption": .., "split"?: ..}'
    if not isinstance(item, dict):
        raise DataError(f'annotation file {path}: {where} is {type(item).__name__}, not an object ({expected})')
    filename = next((item[key] for key in FILENAME_KEYS if key in item), None)
    captions = item['captions'] if 'captions' in item else [item['caption']] if 'caption' in item else None
    split = item.get('split')
    if not isinstance(filename, str):
        raise DataError(f"annotation file {path}: {where} lacks a text 'filename' ({expected})")
    if not isinstance(captions, list) or not all(isinstance(caption, str) for caption in captions):
        raise DataError(f"annotation file {path}: {where} lacks a list of texts 'captions' ({expected})")
    if split is not None and not isinstance(split, str):
        raise DataError(f"annotation file {path}: {where}['split'] must be str, got {type(split).__name__}")
    return TableRow(where, filename, split or None, captions)


def _group(path: Path, rows: Iterable[TableRow]) -> Iterable[Entry]:
    """Rows of one image -> one entry, images in the order of their first row."""
    entries: dict[str, Entry] = {}
    splits: dict[str, Optional[str]] = {}
    first: Optional[TableRow] = None
    for row in rows:
        first = first or row
        if (row.split is None) != (first.split is None):
            with_split, without = (first, row) if row.split is None else (row, first)
            raise DataError(
                f'annotation file {path}: {with_split.where} names a split, {without.where} does not; '
                'name one in every row or in none'
            )
        if splits.setdefault(row.filename, row.split) != row.split:
            raise DataError(
                f'annotation file {path}: {row.where} puts {row.filename!r} into the split {row.split!r}, '
                f'an earlier row into {splits[row.filename]!r}; an image belongs to one split'
            )
        entry = entries.setdefault(row.filename, Entry(row.filename, row.split or '', [], row.where))
        entries[row.filename] = entry._replace(captions=[*entry.captions, *row.captions])
    return entries.values()


def _is_json_lines(text: str) -> bool:
    """Whether the first line is a whole JSON object and another line follows."""
    first, _, rest = text.strip().partition('\n')
    try:
        return isinstance(json.loads(first), dict) and bool(rest.strip())
    except (ValueError, RecursionError):
        return False
