"""Entries of any layout -> list of `ImageRecord`: numbered, one name a file, checked."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, Iterable, Literal, NamedTuple, Optional, Sequence

from mmengine.logging import print_log

from ...errors import DataError
from .file_names import FileNames, is_unicode, name_some

BlankCaptions = Literal['raise', 'drop']

Labels = dict[int, dict[str, float]]
"""Image id -> label, as the file spells it -> how often the image shows it."""

VAL_SPELLINGS = ('validation', 'valid', 'dev')
SPLIT_FOLDERS = ('train', 'val', 'test', *VAL_SPELLINGS)  # folders that are called so hold a split


class ImageRecord(NamedTuple):
    """One image of an annotation file.

    Attributes:
        image_id: position of the image in the file, so that it is unique across splits.
        filename: relative to the folder of images, with ``/`` between folders; each file has one name.
        split: as `usual_split_names` calls it, e.g. ``train``; empty if the file names no splits.
        captions: raw texts, stripped.
        caption_ids: running number of each caption in the order of images, blank ones included.
    """

    image_id: int
    filename: str
    split: str
    captions: tuple[str, ...]
    caption_ids: tuple[int, ...]


class Entry(NamedTuple):
    """An image or some captions of one, as read and not yet checked.

    Attributes:
        filename: as the file spells it.
        split: None where the file names none.
        captions: raw texts.
        where: the place in the file, for messages.
    """

    filename: str
    split: Optional[str]
    captions: Sequence[str]
    where: str


def build_records(
    path: Path,
    entries: Iterable[Entry],
    *,
    blank_captions: BlankCaptions = 'raise',
    images: Optional[Path] = None,
    join: bool = False,
) -> list[ImageRecord]:
    """Number images and captions, and check the rules that hold for every layout.

    Args:
        path: the file, for messages.
        entries: in the order of the file.
        blank_captions: what to do with a caption without words: ``raise`` an error, or ``drop`` it and log how many
            there were; an image whose captions are all blank is dropped too, and a warning names it.
        images: folder of images, see `FileNames`; None: the folder of the file.
        join: whether several entries of an image are its several captions; else they are an error.

    Raises:
        DataError: no image, a file name that is empty, leaves the folder or occurs twice, a blank caption, an image
            that lists no captions, or splits that are named for some images only.
    """
    checked = check_entries(path, entries, images)
    records: list[ImageRecord] = []
    blank: list[str] = []
    empty: list[str] = []
    next_caption_id = 0
    for image_id, entry in enumerate(join_entries(path, checked) if join else _single(path, checked)):
        if not is_unicode(entry.split or '') or not all(map(is_unicode, entry.captions)):
            raise DataError(
                f'annotation file {path}: {entry.where} ({entry.filename!r}) holds half a surrogate pair, which is no '
                'text; write the file again as UTF-8'
            )
        texts = [caption.strip() for caption in entry.captions]
        if not texts:
            raise DataError(
                f'annotation file {path}: image {entry.filename!r} has no caption; remove the image or describe it'
            )
        kept = [(next_caption_id + i, text) for i, text in enumerate(texts) if has_word(text)]
        next_caption_id += len(texts)
        if len(kept) < len(texts):
            if blank_captions == 'raise':
                raise DataError(
                    f'annotation file {path}: {len(texts) - len(kept)} of the {len(texts)} captions of '
                    f"{entry.filename!r} are blank; fill them in, or set blank_captions='drop'"
                )
            blank += [entry.filename] * (len(texts) - len(kept))
        if not kept:
            empty.append(entry.filename)
            continue
        caption_ids, captions = zip(*kept)
        records.append(ImageRecord(image_id, entry.filename, entry.split or '', captions, caption_ids))
    if not checked:
        raise DataError(f'annotation file {path} lists no images')
    if not records:
        raise DataError(f'annotation file {path}: none of its {len(empty)} images has a caption; describe them')
    if blank:
        print_log(
            f'{path}: dropped {len(blank)} blank captions of {next_caption_id}, of images '
            f'{name_some(list(dict.fromkeys(blank)))}',
            logger='current',
        )
    if empty:
        print_log(
            f'{path}: left out {len(empty)} images of {len(empty) + len(records)} that have no caption: '
            f'{name_some(empty, most=10)}',
            logger='current',
            level=logging.WARNING,
        )
    return with_usual_splits(records, path)


def check_entries(path: Path, entries: Iterable[Entry], images: Optional[Path]) -> list[Entry]:
    """The entries with one name for each file; all of them name a split or none.

    Raises:
        DataError: a file name is none, or splits are named for some images only.
    """
    names = FileNames(path, path.parent if images is None else images)
    entries = [entry._replace(filename=names(entry.filename, entry.where)) for entry in entries]
    for entry in entries:
        if (entry.split is None) != (entries[0].split is None):
            with_split, without = (entries[0], entry) if entry.split is None else (entry, entries[0])
            raise DataError(
                f'annotation file {path}: {with_split.where} names a split, {without.where} does not; '
                'name one for every image or for none'
            )
    return entries


def _single(path: Path, entries: Iterable[Entry]) -> Iterable[Entry]:
    seen: set[str] = set()
    for entry in entries:
        if entry.filename in seen:
            raise DataError(f'annotation file {path} names {entry.filename!r} twice; keep one entry for each image')
        seen.add(entry.filename)
        yield entry


def join_entries(path: Path, entries: Iterable[Entry]) -> Iterable[Entry]:
    """Entries of one image -> one entry, images in the order of their first.

    Raises:
        DataError: an image is in two splits.
    """
    joined: dict[str, tuple[Entry, list[str]]] = {}
    for entry in entries:
        first, captions = joined.setdefault(entry.filename, (entry, []))
        if first.split != entry.split:
            raise DataError(
                f'annotation file {path}: {entry.where} puts {entry.filename!r} into the split {entry.split!r}, '
                f'an earlier row into {first.split!r}; an image belongs to one split'
            )
        captions += entry.captions
    return (first._replace(captions=captions) for first, captions in joined.values())


def usual_split_names(names: Iterable[str]) -> dict[str, str]:
    """Names of splits in a file -> names used here.

    Upper and lower case of train, val and test are the same; if none is val, a single one of `VAL_SPELLINGS` (any case)
    becomes val. ``restval`` of COCO is the rest of its val, which the field trains on: it becomes train. All others
    keep their name.
    """
    usual = {name: name.lower() if name.lower() in ('train', 'val', 'test') else name for name in names}
    usual.update({name: 'train' for name in usual if name.lower() == 'restval'})
    vals = [name for name in usual if name.lower() in VAL_SPELLINGS]
    if len(vals) == 1 and 'val' not in usual.values():
        usual[vals[0]] = 'val'
    return usual


def with_usual_splits(records: list[ImageRecord], path: Path) -> list[ImageRecord]:
    """The records, whose splits are called as `usual_split_names` calls them."""
    usual = usual_split_names(dict.fromkeys(record.split for record in records))
    renamed = [f'{name!r} is {other}' for name, other in usual.items() if name != other]
    if not renamed:
        return records
    print_log(f'{path}: the split {", ".join(renamed)}', logger='current')
    return [record._replace(split=usual[record.split]) for record in records]


def has_word(text: str) -> bool:
    """Whether a caption has a letter or digit: RSICD has captions of a lone full stop."""
    return any(character.isalnum() for character in text)


def get_key(entry: Any, key: str, kind: type, path: Path, where: str, layout: str) -> Any:
    """Return ``entry[key]`` if it is there and of the right type.

    Raises:
        DataError: absent, or of another type.
    """
    if not isinstance(entry, dict) or key not in entry:
        raise DataError(f'annotation file {path}: {where} lacks the key {key!r} (expected {layout})')
    value = entry[key]
    if not isinstance(value, kind):
        raise DataError(f'annotation file {path}: {where}[{key!r}] must be {kind.__name__}, got {type(value).__name__}')
    return value
