"""The JSON of NWPU-Captions -> records."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterable, Optional

from ...errors import DataError
from .records import BlankCaptions, Entry, ImageRecord, build_records, get_key
from .text_files import load_json

_LAYOUT = 'the layout of NWPU-Captions: class -> list of filename, split, raw, raw_1 .. raw_4'


def read_nwpu_json(
    path: Path, *, blank_captions: BlankCaptions = 'raise', images: Optional[Path] = None
) -> list[ImageRecord]:
    """Read ``{class: [{"filename", "split", "raw", "raw_1", .. "raw_4"}]}``, the layout of NWPU-Captions.

    The images lie in a folder for each class, so a record's file name is ``class/filename``.

    Args:
        path: the annotation file.
        blank_captions: see `build_records`.
        images: see `build_records`.

    Raises:
        DataError: as for `read_karpathy_json`.
    """
    return build_records(path, nwpu_entries(load_json(path), path), blank_captions=blank_captions, images=images)


def nwpu_entries(content: Any, path: Path) -> Iterable[Entry]:
    """The entries of a file that is already parsed; ``path`` is for messages."""
    if not isinstance(content, dict):
        raise DataError(f'annotation file {path}: the top level must be a dict (expected {_LAYOUT})')
    for name in content:
        for index, image in enumerate(get_key(content, name, list, path, 'the top level', _LAYOUT)):
            where = f'{name!r}[{index}]'
            yield Entry(
                f'{name}/{get_key(image, "filename", str, path, where, _LAYOUT)}',
                get_key(image, 'split', str, path, where, _LAYOUT) or None,
                [get_key(image, key, str, path, where, _LAYOUT) for key in ('raw', 'raw_1', 'raw_2', 'raw_3', 'raw_4')],
                where,
            )
