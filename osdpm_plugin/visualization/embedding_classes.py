"""Images of a split -> their classes, from file names, a file, or the object that most captions of an image name."""

from __future__ import annotations

import csv
import json
import re
from collections import defaultdict
from pathlib import Path, PurePath
from typing import Optional

from ..datasets.lexicon import Lexicon
from ..errors import ConfigError, DataError
from ..evaluation.embedded_split import EmbeddedSplit

PREFIX, OBJECTS = 'prefix', 'objects'
NUMBER = re.compile(r'[\s_-]*\d+$')

Labels = tuple[Optional[str], ...]


def labels_of(split: EmbeddedSplit, classes: str = PREFIX, *, lexicon: Optional[Lexicon] = None) -> Labels:
    """N class names, None for an image without a class.

    Args:
        split: the images, with paths and captions.
        classes: ``prefix``: the file name up to its number (``airport_12.jpg``: *airport*); ``objects``: the category
            of the lexicon that most of the image's captions name (in a tie the first in the lexicon); or the path of a
            file, see `read_classes`.
        lexicon: for ``objects``; None: the shipped one.

    Raises:
        ConfigError: fewer than two classes are found.
        DataError: the file is missing, has another layout, lacks an image, or has one name for several.
    """
    if classes == PREFIX:
        labels = tuple(NUMBER.sub('', Path(path).stem) or None for path in split.image_paths)
    elif classes == OBJECTS:
        labels = _objects(split, Lexicon.default() if lexicon is None else lexicon)
    else:
        labels = _from_file(split, classes)
    found = sorted({label for label in labels if label is not None})
    if len(found) < 2:
        raise ConfigError(
            f'--classes {classes} finds {len(found)} classes ({", ".join(found) or "none"}) in {len(labels)} images; '
            f'choose one of {PREFIX}, {OBJECTS} and a file of names and classes that finds two or more'
        )
    return labels


def read_classes(path: str) -> dict[str, str]:
    """Name of an image file, with as many of its folders as are needed to make it unique -> class.

    Args:
        path: ``.json`` with one object ``{"airport_1.jpg": "airport", ...}``, or a CSV file with the two columns file
            name and class and no header.

    Raises:
        DataError: the file is missing or has another layout, or a name has two classes.
    """
    try:
        text = Path(path).read_text(encoding='utf-8-sig')
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f'--classes {path} is neither {PREFIX!r} nor {OBJECTS!r} nor a UTF-8 file that can be read ({error}); '
            'check the path'
        ) from error
    if path.lower().endswith('.json'):
        try:
            rows = json.loads(text, object_pairs_hook=tuple)
        except ValueError as error:
            raise DataError(f'--classes {path} is not JSON ({error}); correct it at that place') from error
        if not isinstance(rows, tuple) or not all(isinstance(label, str) and label for _, label in rows):
            raise DataError(f'--classes {path} must hold one object of file names with their class')
    else:
        rows = tuple([cell.strip() for cell in row] for row in csv.reader(text.splitlines()) if row)
        bad = next((i for i, row in enumerate(rows, start=1) if len(row) != 2 or not row[1]), None)
        if bad is not None:
            raise DataError(f'--classes {path}: row {bad} is not a file name and a class; write airport_1.jpg,airport')
    table: dict[str, str] = {}
    for name, label in rows:
        name = PurePath(*_parts(name)).as_posix()
        if table.setdefault(name, label) != label:
            raise DataError(
                f'--classes {path} says {table[name]} and {label} of {name}; keep one, or write the folders too'
            )
    return table


def _from_file(split: EmbeddedSplit, path: str) -> Labels:
    """The class of an image is that of the longest listed name with which its path ends."""
    table = {_parts(name): (name, label) for name, label in read_classes(path).items()}
    owner: dict[str, str] = {}
    labels: list[str] = []
    missing: list[str] = []
    for image in split.image_paths:
        parts = _parts(image)
        found = next((table[parts[i:]] for i in range(len(parts)) if parts[i:] in table), None)
        if found is None:
            missing.append(Path(image).name)
            continue
        name, label = found
        if owner.setdefault(name, image) != image:
            raise DataError(
                f'--classes {path} has the one name {name} for {owner[name]} and {image}; write their folders before it'
            )
        labels.append(label)
    if missing:
        raise DataError(
            f'--classes {path} has no class for {len(missing)} of {len(split.image_paths)} images, the first is '
            f'{missing[0]}; add them'
        )
    return tuple(labels)


def _parts(name: str) -> tuple[str, ...]:
    return PurePath(name.replace('\\', '/')).parts


def _objects(split: EmbeddedSplit, lexicon: Lexicon) -> Labels:
    captions = defaultdict(list)
    for owner, text in zip(split.caption_image_ids.tolist(), split.captions):
        captions[owner].append(text)
    counts = [lexicon.count(captions[image_id]) for image_id in split.image_ids.tolist()]
    return tuple(lexicon.categories[count.argmax()] if count.any() else None for count in counts)
