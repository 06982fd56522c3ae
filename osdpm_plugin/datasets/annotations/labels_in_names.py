"""File names of images -> their labels, by the folder, by the name up to its number, or by a pattern."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Callable, Optional, Sequence

from ...errors import ConfigError, DataError
from .records import SPLIT_FOLDERS, ImageRecord, Labels, with_usual_splits

IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.tif', '.tiff', '.bmp', '.webp', '.jp2')
FOLDER, NAME = 'folder', 'name'

LabelRule = Callable[[str], Optional[str]]
"""A name relative to the folder of images -> its label, or None."""


def label_rule(rule: str) -> LabelRule:
    """``folder``, ``name`` or a regular expression -> what finds the label in a file name.

    Args:
        rule: ``folder``: the folder of the image (``airport/1.jpg``). ``name``: the file name up to its number
            (``airport_12.jpg``). Else a regular expression with a group ``label``, which is searched for in the name
            with its folders: ``'(?P<label>[a-z]+)/img'``.

    Raises:
        ConfigError: a rule of another name, or an expression without the group or with a mistake.

    Example:
        >>> [label_rule('folder')('train/airport/1.jpg'), label_rule('name')('RSICD/storage_tanks_12.jpg')]
        ['airport', 'storage_tanks']
        >>> label_rule('_(?P<label>[a-z]+)')('12_pond.png')
        'pond'
    """
    if rule == FOLDER:
        return lambda filename: PurePosixPath(filename).parent.name or None
    if rule == NAME:
        return lambda filename: re.sub(r'[\s_-]*\d+$', '', PurePosixPath(filename).stem) or None
    try:
        pattern = re.compile(rule)
    except (re.error, TypeError) as error:
        raise ConfigError(f'labels={rule!r} is no regular expression ({error}); correct it') from error
    if 'label' not in pattern.groupindex:
        raise ConfigError(
            f"labels={rule!r} is neither {FOLDER!r} nor {NAME!r} nor a regular expression with a group 'label', such "
            "as '(?P<label>[a-z]+)_'"
        )

    def search(filename: str) -> Optional[str]:
        match = pattern.search(filename)
        return match['label'] or None if match else None

    return search


def labelled_images(images: Path, rule: str) -> tuple[list[ImageRecord], Labels]:
    """All images below a folder, in the order of their names, and the label in the name of each.

    A first folder that is called like a split is the split, where all images lie in such folders.

    Raises:
        DataError: there are no images, or some have no label by the rule.
        ConfigError: see `label_rule`.
    """
    find = label_rule(rule)
    names = image_names(images)
    labels = [find(name) for name in names]
    without = [name for name, label in zip(names, labels) if label is None]
    if without:
        raise DataError(
            f'folder of images {images}: {len(without)} of {len(names)} names have no label by labels={rule!r}, first '
            f'{without[0]!r}; give another rule, or move these images away'
        )
    records = [
        ImageRecord(number, name, split or '', (), ())
        for number, (name, split) in enumerate(zip(names, split_folders(names)))
    ]
    return with_usual_splits(records, images), {number: {str(label): 1.0} for number, label in enumerate(labels)}


def split_folders(names: Sequence[str]) -> list[Optional[str]]:
    """The first folder of each name, where all first folders are called like a split; else Nones."""
    tops = [PurePosixPath(name).parts[0] for name in names]
    return list(tops) if all(top.lower() in SPLIT_FOLDERS for top in tops) else [None] * len(tops)


def image_names(images: Path) -> list[str]:
    """Names of the images below a folder, sorted, with ``/`` between folders.

    Raises:
        DataError: there are none.
    """
    files = (path for path in images.rglob('*') if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file())
    names = sorted(path.relative_to(images).as_posix() for path in files)
    if not names:
        raise DataError(f'folder of images {images} holds no image ({", ".join(IMAGE_SUFFIXES)}); check data_root')
    return names
