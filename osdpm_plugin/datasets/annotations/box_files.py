"""A folder of text files with boxes, one an image, of YOLO or of DOTA -> `ImageRecord`s, `Labels`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Optional

import yaml

from ...errors import DataError
from .label_files import label_records
from .labels_in_names import image_names, split_folders
from .records import Entry, ImageRecord, Labels
from .text_files import read_text

NAMES_FILES = ('classes.txt', 'obj.names', 'data.yaml', 'dataset.yaml')


def read_box_folder(folder: Path, images: Path) -> tuple[list[ImageRecord], Labels]:
    """The images below a folder with the objects of their box files; an image without a file shows none.

    The file of ``train/a.jpg`` is ``train/a.txt``, or ``a.txt``, in ``folder``. A line of YOLO is ``class x y width
    height``, where the class is a number whose name stands in ``classes.txt`` or ``data.yaml`` of the folder or the one
    above it. A line of DOTA is ``x1 y1 .. x4 y4 name difficulty``.

    Raises:
        DataError: no images, no box files, or a line of neither layout.
    """
    files = {path.relative_to(folder).with_suffix('').as_posix(): path for path in sorted(folder.rglob('*.txt'))}
    files = {name: path for name, path in files.items() if path.name not in NAMES_FILES}
    if not files:
        raise DataError(f'annotation folder {folder} holds no .txt files of boxes; name the folder of labels')
    numbered = _class_names(folder)
    entries = []
    found = 0
    names = image_names(images)
    for name, split in zip(names, split_folders(names)):
        stem = Path(name).with_suffix('')
        path = files.get(stem.as_posix()) or files.get(stem.name)
        found += path is not None
        labels = [] if path is None else list(_labels(path, numbered))
        entries.append(Entry(name, split, labels, name))
    if not found:
        raise DataError(f'annotation folder {folder}: no file is called like an image of {images}; check both folders')
    return label_records(folder, entries, images)


def _labels(path: Path, names: Optional[dict[int, str]]) -> Iterable[str]:
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        parts = line.split()
        if not parts or parts[0].startswith(('imagesource', 'gsd')):
            continue
        where = f'annotation file {path}: line {number}'
        if len(parts) in (9, 10) and _are_numbers(parts[:8]) and not _are_numbers(parts[8:9]):
            yield parts[8]
        elif len(parts) >= 5 and parts[0].isdigit() and _are_numbers(parts):
            if names is None:
                raise DataError(f'{where} has the class {parts[0]}; name the classes in {path.parent / "classes.txt"}')
            if int(parts[0]) not in names:
                raise DataError(f'{where} has the class {parts[0]}, of {len(names)} that are named; correct the names')
            yield names[int(parts[0])]
        else:
            raise DataError(
                f'{where} is no box; write "class x y width height" (YOLO) or "x1 y1 .. x4 y4 name difficulty" (DOTA)'
            )


def _are_numbers(parts: Iterable[str]) -> bool:
    try:
        return all(float(part) == float(part) for part in parts)
    except ValueError:
        return False


def _class_names(folder: Path) -> Optional[dict[int, str]]:
    """Number -> name of the classes; None: no file names them."""
    path = next((p for place in (folder, folder.parent) for n in NAMES_FILES if (p := place / n).is_file()), None)
    if path is None:
        return None
    text = read_text(path)
    if path.suffix != '.yaml':
        return dict(enumerate(line.strip() for line in text.splitlines() if line.strip()))
    try:
        names = yaml.safe_load(text)['names']
        pairs = names.items() if isinstance(names, dict) else enumerate(names)
        return {int(number): str(name) for number, name in pairs}
    except (yaml.YAMLError, KeyError, TypeError, ValueError, RecursionError) as error:
        why = ' '.join(str(error).split())
        raise DataError(f'{path} has no list "names" ({why}); write the names of the classes there') from error
