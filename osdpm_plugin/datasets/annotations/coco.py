"""COCO's JSON of captions -> entries, one a caption."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterable

from ...errors import DataError
from .records import Entry, get_key

_LAYOUT = 'the layout of COCO captions: images[].id, .file_name, annotations[].image_id, .caption'


def is_coco(content: Any) -> bool:
    """Whether a parsed file has COCO's two lists."""
    return isinstance(content, dict) and all(isinstance(content.get(key), list) for key in ('images', 'annotations'))


def coco_entries(content: dict, path: Path) -> Iterable[Entry]:
    """The entries of a file that is already parsed, in the order of its images; ``path`` is for messages."""
    entries: dict[str, Entry] = {}
    for index, image in enumerate(content['images']):
        where = f'images[{index}]'
        split = None if not isinstance(image, dict) else image.get('split')
        filename = get_key(image, 'file_name', str, path, where, _LAYOUT)
        key = id_of(image, 'id', path, where)
        if key in entries:
            raise DataError(f'annotation file {path}: {where} has the id {key!r} of an image before; number them anew')
        entries[key] = Entry(filename, split if isinstance(split, str) and split else None, [], where)
    for index, note in enumerate(content['annotations']):
        where = f'annotations[{index}]'
        caption = get_key(note, 'caption', str, path, where, _LAYOUT)
        key = id_of(note, 'image_id', path, where)
        if key not in entries:
            raise DataError(f"annotation file {path}: {where}['image_id'] is {key!r}, which no image has as its id")
        entries[key] = entries[key]._replace(captions=[*entries[key].captions, caption])
    return entries.values()


def id_of(entry: dict, key: str, path: Path, where: str) -> str:
    """The id at a key of an entry; COCO has numbers, others write texts.

    Raises:
        DataError: absent, or neither.
    """
    value = get_key(entry, key, object, path, where, _LAYOUT)
    if not isinstance(value, (int, str)):
        raise DataError(f'annotation file {path}: {where}[{key!r}] must be int or str, got {type(value).__name__}')
    return str(value)
