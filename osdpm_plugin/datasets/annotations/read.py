"""An annotation file of any known layout, or a folder with metadata -> list of `ImageRecord`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Iterable, Optional

from ...errors import DataError
from .coco import coco_entries, is_coco
from .flickr_tokens import flickr_entries, is_flickr_tokens
from .image_folder import folder_entries
from .json_rows import by_name_entries, is_by_name, is_json_lines, line_entries, list_entries, row_entry
from .karpathy import karpathy_entries
from .nwpu import nwpu_entries
from .records import BlankCaptions, Entry, ImageRecord, build_records
from .rows import choose_keys
from .tables import table_entries
from .text_files import read_text

_LINES = ('.jsonl', '.ndjson')


def read_annotations(
    path: Path, *, blank_captions: BlankCaptions = 'raise', images: Optional[Path] = None
) -> list[ImageRecord]:
    """Read an annotation file of any known layout, told apart by its content; the table in this room's README has all.

    A name such as .json decides only about a file whose content does not. Unknown columns and keys are ignored. Several
    rows of an image are its several captions. Text is UTF-8, or UTF-16 with a byte order mark.

    Args:
        path: the annotation file, or a folder with ``metadata.jsonl`` or ``metadata.csv``.
        blank_captions: see `build_records`.
        images: see `build_records`.

    Raises:
        DataError: the file is missing, of no known layout, lacks a column or key, or breaks a rule of `build_records`.
    """
    path = Path(path)
    if path.is_dir():
        entries, join, images = folder_entries(path), True, images or path
    else:
        entries, join = _entries(path, read_text(path))
    return build_records(path, entries, blank_captions=blank_captions, images=images, join=join)


def _entries(path: Path, text: str) -> tuple[Iterable[Entry], bool]:
    """Entries, and whether several may be of one image."""
    if text.lstrip()[:1] in ('{', '[') or path.suffix.lower() in ('.json', *_LINES):
        return _json_entries(path, text)
    if is_flickr_tokens(text):
        return flickr_entries(path, text), True
    return table_entries(path, text), True


def _json_entries(path: Path, text: str) -> tuple[Iterable[Entry], bool]:
    named_lines = path.suffix.lower() in _LINES
    try:
        content: Any = json.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError: also an integer of more than 4300 digits
        if named_lines or is_json_lines(text):
            return line_entries(path, text), True
        raise DataError(f'annotation file {path} is not JSON ({error}); download it again') from error
    if isinstance(content, list) and not (named_lines and not all(isinstance(item, dict) for item in content)):
        return list_entries(content, path), True
    if is_coco(content):
        return coco_entries(content, path), False
    if isinstance(content, dict) and 'images' not in content:
        if is_by_name(content):
            return by_name_entries(content, path), False
        if content and all(isinstance(images, list) for images in content.values()):
            return nwpu_entries(content, path), False
        if not named_lines and choose_keys(tuple(content), f'annotation file {path}').filename is not None:
            return [row_entry(content, path, 'the top level')], True
    if named_lines and not (isinstance(content, dict) and 'images' in content):
        return line_entries(path, text), True
    return karpathy_entries(content, path), False
