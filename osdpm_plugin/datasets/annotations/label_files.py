"""A file of labels, a table or JSON, or of COCO's boxes -> `ImageRecord`s and `Labels`."""

from __future__ import annotations

import ast
import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

from ...errors import DataError
from .coco import id_of, is_coco
from .records import Entry, ImageRecord, Labels, check_entries, get_key, join_entries, with_usual_splits
from .rows import FILE_KEYS, OTHER_FILE_KEYS
from .text_files import read_text

LABEL_KEYS = (
    'label',
    'labels',
    'class',
    'classes',
    'class_name',
    'category',
    'categories',
    'object',
    'objects',
    'tags',
)
MOST_OBJECTS = 100_000  # of one kind in an image
_EXPECTED = 'expected filename,label[,split], or filename and a column of 0 and 1 for each label'
_COCO = (
    'the layout of COCO boxes: images[].id, .file_name, annotations[].image_id, .category_id, categories[].id, .name'
)


def read_label_file(path: Path, images: Path) -> tuple[list[ImageRecord], Labels]:
    """The images and labels of a file, told apart by its content.

    - A table ``filename,label[,split]``; several labels as several rows, or in one cell separated by ``;`` or ``|``, or
      as a list in Python's or JSON's spelling. Or ``filename`` and a column for each label that holds how often an
      image shows it (0 and 1).
    - JSON: ``{"a.jpg": "airport"}`` with a label, a list of labels or ``{"plane": 3, ...}``; or a list of objects
      ``{"filename": .., "labels": ..[, "split": ..]}``; or lines of them.
    - COCO: its boxes are counted.

    Args:
        path: the file.
        images: folder of images, see `FileNames`.

    Raises:
        DataError: missing, of no known layout, or an image without a file name.
    """
    text = read_text(path)
    if text.lstrip()[:1] not in ('{', '['):
        return label_records(path, _table_entries(path, text), images)
    try:
        content: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        try:
            content = [json.loads(line) for line in text.splitlines() if line.strip()]
        except (ValueError, RecursionError):
            raise DataError(f'annotation file {path} is not JSON ({error}); download it again') from error
    if is_coco(content):
        return label_records(path, _coco_entries(path, content), images)
    if isinstance(content, dict) and isinstance(content.get('images'), list):
        content = content['images']
    if isinstance(content, dict):
        content = [dict(filename=name, labels=labels) for name, labels in content.items()]
    return label_records(path, (_row_entry(path, row, f'[{i}]') for i, row in enumerate(content)), images)


def label_records(path: Path, entries: Iterable[Entry], images: Path) -> tuple[list[ImageRecord], Labels]:
    """Entries that hold labels where others hold captions, each as often as the image shows it -> records and labels.

    Raises:
        DataError: no images, a name that is none, or splits that are named for some images only.
    """
    joined = list(join_entries(path, check_entries(path, entries, images)))
    if not joined:
        raise DataError(f'annotation file {path} lists no images')
    records = [ImageRecord(i, entry.filename, entry.split or '', (), ()) for i, entry in enumerate(joined)]
    counts = [Counter(label.strip() for label in entry.captions if label.strip()) for entry in joined]
    labels = {i: {label: float(n) for label, n in count.items()} for i, count in enumerate(counts)}
    return with_usual_splits(records, path), labels


def _table_entries(path: Path, text: str) -> Iterable[Entry]:
    delimiter = max(',;\t|', key=text.partition('\n')[0].count)
    try:
        reader = csv.DictReader(io.StringIO(text, newline=''), delimiter=delimiter, strict=True)
        for row in reader:
            where = f'line {reader.line_num}'
            if None in row or None in row.values():
                raise DataError(f'annotation file {path}: {where} has not as many fields as the first line; correct it')
            yield _row_entry(path, {(key or '').strip(): value for key, value in row.items()}, where)
    except csv.Error as error:
        raise DataError(f'annotation file {path} is not CSV ({error}); correct it at that place') from error


def _row_entry(path: Path, row: Any, where: str) -> Entry:
    place = f'annotation file {path}: {where}'
    if not isinstance(row, Mapping):
        raise DataError(f'{place} is {type(row).__name__}, not an object ({_EXPECTED})')
    usual = {re.sub(r'[\s-]+', '_', key.strip().lower()): key for key in row}
    file_key = next((usual[key] for key in (*FILE_KEYS, *OTHER_FILE_KEYS) if key in usual), None)
    if file_key is None and row and isinstance(next(iter(row.values())), str):
        file_key = next(iter(row)) if Path(next(iter(row.values()))).suffix else None
    if file_key is None or not isinstance(row[file_key], str):
        raise DataError(f'{place} names no file; {_EXPECTED}')
    split = row[usual['split']] if 'split' in usual else None
    label_key = next((usual[key] for key in LABEL_KEYS if key in usual), None)
    if label_key is None:
        value: Any = {key: number for key, number in row.items() if key not in (file_key, usual.get('split'))}
    else:
        value = row[label_key]
    return Entry(row[file_key].strip(), (split or '').strip() or None, _labels(value, place), where)


def _labels(value: Any, place: str) -> Sequence[str]:
    """One label, a list of labels, or numbers by label -> labels, each as often as the image shows it."""
    if isinstance(value, Mapping) and value:
        try:
            numbers = {str(label): float(number) for label, number in value.items()}
        except (TypeError, ValueError):
            raise DataError(f'{place} has no label, and its other values are no numbers; {_EXPECTED}') from None
        for label, number in numbers.items():
            if not 0 <= number <= MOST_OBJECTS:
                raise DataError(f'{place} shows {label!r} {number} times; write a number from 0 to {MOST_OBJECTS}')
        return [label for label, number in numbers.items() for _ in range(round(number))]
    if isinstance(value, str) and value.strip().startswith('['):
        try:
            value = ast.literal_eval(value.strip())
        except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError) as error:
            raise DataError(f'{place}: {value!r} is no list of labels ({error}); correct it') from error
    elif isinstance(value, str):
        value = re.split(r'\s*[;|]\s*', value.strip())
    if not isinstance(value, (list, tuple)) or not all(isinstance(label, str) for label in value):
        raise DataError(f'{place} has the labels {value!r}; write a text or a list of texts')
    return value


def _coco_entries(path: Path, content: Mapping[str, Any]) -> Iterable[Entry]:
    """An entry an image; each of its boxes counts."""
    names: dict[Any, str] = {}
    for index, category in enumerate(get_key(content, 'categories', list, path, 'the file', _COCO)):
        where = f'categories[{index}]'
        names[get_key(category, 'id', int, path, where, _COCO)] = get_key(category, 'name', str, path, where, _COCO)
    boxes: dict[Any, list[str]] = {}
    files: dict[Any, tuple[str, Optional[str]]] = {}
    for index, image in enumerate(content['images']):
        number = id_of(image, 'id', path, f'images[{index}]')
        files[number] = get_key(image, 'file_name', str, path, f'images[{index}]', _COCO), image.get('split')
        boxes[number] = []
    for index, box in enumerate(content['annotations']):
        where = f'annotations[{index}]'
        image = id_of(box, 'image_id', path, where)
        category = get_key(box, 'category_id', int, path, where, _COCO)
        if image not in boxes or category not in names:
            raise DataError(f'annotation file {path}: {where} is of an image or a category that the file does not list')
        boxes[image].append(names[category])
    return [Entry(*files[image], labels, f'image {image}') for image, labels in boxes.items()]
