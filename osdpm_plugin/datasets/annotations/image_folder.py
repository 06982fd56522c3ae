"""A folder of images with ``metadata.jsonl`` or ``metadata.csv``, as Hugging Face has it -> entries."""

from __future__ import annotations

from pathlib import Path
from typing import Iterable

from ...errors import DataError
from .json_rows import line_entries
from .records import SPLIT_FOLDERS, Entry
from .tables import table_entries
from .text_files import read_text

_NAMES = ('metadata.jsonl', 'metadata.csv')


def folder_entries(folder: Path) -> Iterable[Entry]:
    """The entries of all its files; a name is relative to the folder of its file. A first folder that is called like
    a split is the split, unless the file names one.

    Raises:
        DataError: there is no such file, or both in one folder.
    """
    files = sorted(path for name in _NAMES for path in folder.rglob(name))
    if not files:
        raise DataError(
            f'annotation folder {folder} holds no {" or ".join(_NAMES)}; name the annotation file instead of the folder'
        )
    places = [path.parent for path in files]
    twice = [str(place) for place in places if places.count(place) > 1]
    if twice:
        raise DataError(f'annotation folder {folder}: {twice[0]} holds {" and ".join(_NAMES)}; remove one')
    for path in files:
        parts = path.parent.relative_to(folder).parts
        split = parts[0] if parts and parts[0].lower() in SPLIT_FOLDERS else None
        text = read_text(path)
        for entry in (line_entries if path.suffix == '.jsonl' else table_entries)(path, text):
            yield Entry(
                '/'.join([*parts, entry.filename]),
                entry.split or split,
                entry.captions,
                f'{"/".join([*parts, path.name])}, {entry.where}',
            )
