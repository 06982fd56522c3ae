"""``TYPE:ROOT``, a folder or an annotation file -> the records of a set, with the splits that training uses."""

from __future__ import annotations

import contextlib
import itertools
import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Optional

from mmengine.logging import MMLogger, print_log

from ....datasets import CaptionDataset, CaptionRetrievalDataset, PrecompCaptions, ProceduralScenes
from ....datasets.annotations.exclude_list import leave_out
from ....datasets.annotations.file_names import name_some
from ....datasets.annotations.records import ImageRecord
from ....datasets.annotations.split_conventions import apply_convention
from ....datasets.annotations.split_lists import apply_manifest
from ....errors import ConfigError, DataError
from ....registry import DATASETS

TABLES = ('.csv', '.tsv', '.json', '.jsonl', '.ndjson')
SPLIT_ORDER = ('train', 'val', 'test')


class Group(NamedTuple):
    """One split of one set.

    Attributes:
        name: ``SET/SPLIT``, unique in an audit.
        label: of the set.
        split: empty if the file has no splits.
        records: its images.
        blank_captions: captions without any word, which are not in ``records``.
    """

    name: str
    label: str
    split: str
    records: list[ImageRecord]
    blank_captions: int


class AuditSet(NamedTuple):
    """One data set.

    Attributes:
        label: short name, unique in an audit.
        type: name of the data set class.
        ann_file: annotation file, or the folder of a layout of several files.
        image_dir: folder that file names are relative to.
        groups: its splits, train, val and test first.
    """

    label: str
    type: str
    ann_file: str
    image_dir: str
    groups: list[Group]


def read_sets(
    specs: Sequence[str],
    *,
    image_dirs: Sequence[str] = (),
    exclude_lists: Sequence[str] = (),
    exclude_from: str = 'train',
    split_manifests: Sequence[str] = (),
    split_convention: str = 'official',
    split_seed: int = 0,
) -> list[AuditSet]:
    """Read data sets as their classes do, without their images.

    Splits are those of the file; if it has train but no val, a tenth of train becomes val, as in `CaptionDataset`. A
    train split that is too small for that stays whole.

    Args:
        specs: ``TYPE:ROOT`` with the name of a data set class and a folder or annotation file, or the path of a folder
            or annotation file of own data.
        image_dirs: ``[SET=]DIR``, folder of images relative to the root; SET may be left out with a single set.
        exclude_lists: ``[SET=]FILE``, images left out of ``exclude_from`` of that set.
        exclude_from: the split that these images are left out of.
        split_manifests: ``[SET=]FILE``, see `apply_manifest`.
        split_convention: how train and val of the other sets are cut, see `apply_convention`.
        split_seed: seed of a cut.

    Raises:
        DataError: a set is missing or unusable.
        ConfigError: a type is unknown, or an option names no set.
    """
    targets = [_parse(spec) for spec in specs]
    labels: list[str] = []
    for _, root, cls in targets:
        name = cls.__name__ if cls is not CaptionDataset else (root.stem if root.is_file() else root.resolve().name)
        labels.append(_unique(name, labels))
    folders = _per_set(image_dirs, labels, '--image-dir')
    lists = _per_set(exclude_lists, labels, '--exclude-list')
    manifests = _per_set(split_manifests, labels, '--split-manifest')
    sets = []
    for label, (name, root, cls) in zip(labels, targets):
        with _log_to_stderr():
            dataset = _build(cls, root, folders.get(label))
            source = str(dataset.ann_file)
            records = dataset.read_records()
            blanks = _blanks(records)
            records = _split(records, source, manifests.get(label), split_convention, split_seed)
            found = {record.split for record in records}
            splits = [split for split in SPLIT_ORDER if split in found] + sorted(found - set(SPLIT_ORDER))
            groups = []
            for split in splits:
                chosen = [record for record in records if record.split == split]
                if label in lists and split == exclude_from:
                    chosen = leave_out(chosen, Path(lists[label]), known=records, source=source)
                if chosen:
                    blank = sum(blanks[record.image_id] for record in chosen)
                    groups.append(Group(f'{label}/{split or "all"}', label, split, chosen, blank))
        sets.append(AuditSet(label, name, source, str(dataset.data_prefix['img_path']), groups))
    return sets


@contextlib.contextmanager
def _log_to_stderr() -> Iterator[None]:
    """Redirect mmengine's logger from stdout, where the report is printed, to stderr."""
    handlers = [
        handler
        for handler in MMLogger.get_current_instance().handlers
        if isinstance(handler, logging.StreamHandler) and not isinstance(handler, logging.FileHandler)
    ]
    streams = [handler.stream for handler in handlers]
    for handler in handlers:
        handler.stream = sys.stderr  # setStream would flush the other one, which may be closed
    try:
        yield
    finally:
        for handler, stream in zip(handlers, streams):
            handler.stream = stream


def _parse(spec: str) -> tuple[str, Path, type[CaptionRetrievalDataset]]:
    """Spec -> name of the type, root, data set class."""
    name, colon, rest = spec.partition(':')
    if colon and not Path(spec).exists():
        cls = DATASETS.get(name) if name.isidentifier() else None
        if cls is None or not issubclass(cls, CaptionRetrievalDataset):
            classes = [(key, kind) for key, kind in DATASETS.module_dict.items() if isinstance(kind, type)]
            known = ', '.join(sorted(key for key, kind in classes if issubclass(kind, CaptionRetrievalDataset)))
            raise ConfigError(f'{spec!r}: {name!r} is not a data set of captions; choose TYPE from {known}')
        root = Path(rest)
    else:
        root = Path(spec)
        name, cls = 'CaptionDataset', CaptionDataset
        if (root / 'train_caps.txt').is_file() or (root / 'test_caps.txt').is_file():
            name, cls = 'PrecompCaptions', PrecompCaptions
    if not root.exists():
        raise DataError(f'{spec!r}: {root} does not exist; give TYPE:ROOT, a folder or an annotation file')
    return name, root, cls


def _build(cls: type[CaptionRetrievalDataset], root: Path, image_dir: Optional[str]) -> CaptionRetrievalDataset:
    """A data set of all splits that has read its annotation file and no image."""
    options: dict[str, Any] = dict(data_root=str(root), split=None, blank_captions='drop', check='none')
    if root.is_file():
        options.update(data_root=str(root.parent), ann_file=root.name)
    elif cls is CaptionDataset:
        options.update(ann_file=_only_table(root))
    if image_dir is not None:
        options.update(image_dir=image_dir)
    if issubclass(cls, ProceduralScenes):
        cls = CaptionRetrievalDataset  # reads what the generator wrote and draws nothing
    return cls(**options)


def _only_table(folder: Path) -> str:
    found = sorted(path.name for path in folder.iterdir() if path.suffix.lower() in TABLES)
    if not found and (any(folder.glob('*/metadata.csv')) or any(folder.glob('*/metadata.jsonl'))):
        return '.'
    if len(found) != 1:
        raise DataError(
            f'{folder} holds {len(found)} files that may be the annotation file'
            + (f' ({name_some(found)})' if found else '')
            + '; name the file instead of the folder'
        )
    return found[0]


def _split(
    records: list[ImageRecord], source: str, manifest: Optional[str], convention: str, seed: int
) -> list[ImageRecord]:
    """Records with the splits that the data set class gives them; the file's own where they are too small to cut."""
    if manifest is not None:
        return apply_manifest(records, manifest, source=source)
    if convention != 'own' and 'train' not in {record.split for record in records}:
        return records
    try:
        return apply_convention(records, convention=convention, seed=seed, source=source)
    except DataError as error:
        print_log(f'{error}; the splits of the file are audited', logger='current', level=logging.WARNING)
        return records


def _unique(name: str, taken: Sequence[str]) -> str:
    names = itertools.chain([name], (f'{name}-{i}' for i in itertools.count(2)))
    return next(candidate for candidate in names if candidate not in taken)


def _per_set(values: Sequence[str], labels: Sequence[str], option: str) -> dict[str, str]:
    """``[SET=]VALUE`` -> label -> value."""
    chosen: dict[str, str] = {}
    for value in values:
        label, equals, rest = value.partition('=')
        if not equals or label not in labels:
            if len(labels) > 1:
                raise ConfigError(f'{option} {value}: write SET=VALUE with SET one of {", ".join(labels)}')
            label, rest = labels[0], value
        if label in chosen:
            raise ConfigError(f'{option} is given twice for {label}; join the two')
        chosen[label] = rest
    return chosen


def _blanks(records: Sequence[ImageRecord]) -> Mapping[int, int]:
    """image id -> number of its blank captions, from the gaps that they leave in the caption ids.

    Exact if all images have the same number of captions. Otherwise a gap counts for the image before it, and a gap
    after the last caption of the file is not found.
    """
    each = max(len(record.captions) for record in records)
    first, last = records[0].image_id, records[-1].image_id
    regular = all(record.caption_ids[0] // each == record.caption_ids[-1] // each for record in records)
    if regular and records[-1].caption_ids[0] // each - records[0].caption_ids[0] // each == last - first:
        return {record.image_id: each - len(record.captions) for record in records}
    ends = [record.caption_ids[0] for record in records[1:]] + [records[-1].caption_ids[-1] + 1]
    blanks = {r.image_id: end - r.caption_ids[0] - len(r.captions) for r, end in zip(records, ends)}
    blanks[records[0].image_id] += records[0].caption_ids[0]
    return blanks
