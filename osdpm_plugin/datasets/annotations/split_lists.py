"""Records and files that list the images of splits -> records whose ``split`` follows them."""

from __future__ import annotations

import json
import logging
import re
from collections import Counter
from pathlib import Path, PurePosixPath
from typing import Any, Mapping, Sequence, Union

from mmengine.logging import print_log

from ...errors import ConfigError, DataError
from .file_names import name_some, usual_name
from .read import read_annotations
from .records import ImageRecord
from .split_manifest import read_manifest
from .text_files import read_text

SplitFiles = Union[str, Path, Mapping[str, str]]

_TABLES = ('.csv', '.tsv')
_SPLIT_IN_NAME = {'train': 'train', 'val': 'val', 'dev': 'val', 'test': 'test'}


def apply_manifest(records: Sequence[ImageRecord], manifest: SplitFiles, *, source: str) -> list[ImageRecord]:
    """Give each record the split that files state.

    Args:
        records: all images of the annotation file.
        manifest: one of

            - a file of ``tools/make_split.py``, or the name of a shipped one, see `read_manifest`;
            - ``dict(train=FILE, val=FILE, test=FILE)``, some of them: text files with a name a line, such as SWAN's
              ``train_filename_verify.txt``, or annotation files of any layout, such as ``rsitmd_val.json`` of HarMA;
            - one such list whose own name says its split.

            Names of a list are compared without folder and suffix where they differ otherwise. Test stays that of the
            annotation file if no list of it is given; if only one of train and val is given, the other images are the
            other.
        source: the annotation file, for messages.

    Raises:
        DataError: a file is unusable, or does not fit the annotation file.
        ConfigError: a list of an unknown split.
    """
    if isinstance(manifest, Mapping):
        return _apply_lists(records, manifest, source)
    if _is_list(Path(manifest)):
        splits = {_SPLIT_IN_NAME[found] for found in re.findall('train|val|dev|test', Path(manifest).name.lower())}
        if len(splits) != 1:
            raise ConfigError(
                f'split_manifest={str(manifest)!r} is a list of images and its name does not say of which split; '
                f'write split_manifest=dict(train={str(manifest)!r})'
            )
        return _apply_lists(records, {splits.pop(): str(manifest)}, source)
    path = Path(manifest)
    split_of = {usual_name(name): split for split, names in read_manifest(path).items() for name in names}
    have = {record.filename for record in records}
    for what, names in (
        ('lists {n} files that annotation file {source} does not have', [n for n in split_of if n not in have]),
        ('lacks {n} files of annotation file {source}', [r.filename for r in records if r.filename not in split_of]),
    ):
        if names:
            sentence = what.format(n=len(names), source=source)
            raise DataError(
                f'split manifest {path} {sentence}, first {name_some(names)}; it was made for another set or another '
                'encoding of its images'
            )
    return [record._replace(split=split_of[record.filename]) for record in records]


def read_names(path: Path) -> list[str]:
    """The images that a text file or annotation file lists, each once, in its order.

    Raises:
        DataError: the file is unusable or lists nothing.
    """
    text = read_text(path)
    content = _parsed(text) if text.lstrip()[:1] == '[' else None
    if isinstance(content, list) and all(isinstance(name, str) for name in content):
        names: list[str] = content
    elif text.lstrip()[:1] in ('[', '{') or path.suffix.lower() in _TABLES:
        names = [record.filename for record in read_annotations(path, blank_captions='drop')]
    else:
        names = text.split('\n')
    names = list(dict.fromkeys(usual_name(name.strip()) for name in names if name.strip()))
    if not names:
        raise DataError(f'list of images {path} is empty; write a file name a line')
    return names


def _is_list(path: Path) -> bool:
    """Whether a file lists images of one split; else it is a manifest, or not there."""
    if path.suffix.lower() in ('.txt', '.jsonl', *_TABLES):
        return True
    content = _parsed(read_text(path)) if path.is_file() else None
    return isinstance(content, list) and len(content) > 0


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _apply_lists(records: Sequence[ImageRecord], files: Mapping[str, str], source: str) -> list[ImageRecord]:
    """Records with the splits of lists."""
    unknown = [split for split in files if split not in ('train', 'val', 'test')]
    if unknown or not files:
        raise ConfigError(f'split_manifest has a list of {name_some(unknown) or "nothing"}; name train, val or test')
    split_of: dict[str, str] = {}
    lists = name_some(list(files.values()))
    for split, file in files.items():
        found = _find(records, Path(file), source)
        twice = [name for name in found if split_of.get(name, split) != split]
        if twice:
            raise DataError(
                f'list of images {file} shares {len(twice)} images with that of {split_of[twice[0]]!r}, first '
                f'{name_some(twice)}; an image belongs to one split'
            )
        split_of.update(dict.fromkeys(found, split))
    if 'test' not in files:
        test = [record.filename for record in records if record.split == 'test']
        tested = [name for name in test if name in split_of]
        if tested:
            raise DataError(
                f'{len(tested)} images of the lists {lists} are test images of annotation file {source}, first '
                f'{name_some(tested)}; take them out'
            )
        split_of.update(dict.fromkeys(test, 'test'))
    rest = [record.filename for record in records if record.filename not in split_of]
    other = {'train', 'val'} - set(files)
    if rest and len(other) != 1:
        raise DataError(
            f'{len(rest)} images of annotation file {source} are in none of the lists {lists}, first '
            f'{name_some(rest)}; add them to one'
        )
    split_of.update(dict.fromkeys(rest, next(iter(other), '')))
    sizes = ', '.join(f'{number} {split}' for split, number in sorted(Counter(split_of.values()).items()))
    print_log(f'{source}: splits by {lists}: {sizes}', logger='current')
    return [record._replace(split=split_of[record.filename]) for record in records]


def _find(records: Sequence[ImageRecord], path: Path, source: str) -> list[str]:
    """The file names of the records that a list names."""
    have = {record.filename for record in records}
    stems = Counter(PurePosixPath(name).stem for name in have)
    by_stem = {PurePosixPath(name).stem: name for name in have}
    names = read_names(path)
    found: list[str] = []
    lost: list[str] = []
    for name in names:
        stem = PurePosixPath(name).stem
        match = name if name in have else by_stem[stem] if stems[stem] == 1 else None
        (lost if match is None else found).append(match or name)
    if 2 * len(lost) > len(names):
        raise DataError(
            f'list of images {path}: {len(lost)} of its {len(names)} names are not in annotation file {source}, first '
            f'{name_some(lost)}; it belongs to another set'
        )
    if lost:
        print_log(
            f'{path}: {len(lost)} of its {len(names)} images are not in {source}, first {name_some(lost)}',
            logger='current',
            level=logging.WARNING,
        )
    return found
