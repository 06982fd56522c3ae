"""JSON annotation files -> list of `ImageRecord`, or an error of one sentence."""

from __future__ import annotations

import json
import logging
from pathlib import Path, PureWindowsPath
from typing import Any, Iterable, Literal, NamedTuple, Sequence

from mmengine.logging import print_log

from ...errors import DataError

BlankCaptions = Literal['raise', 'drop']

VAL_SPELLINGS = ('validation', 'valid', 'dev')


class ImageRecord(NamedTuple):
    """One image of an annotation file.

    Attributes:
        image_id: position of the image in the file, so that it is unique across splits.
        filename: as in the file, relative to the folder of images.
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
    """One image as it was read, not yet checked; ``where`` names the place in the file."""

    filename: str
    split: str
    captions: Sequence[str]
    where: str


def read_karpathy_json(path: Path, *, blank_captions: BlankCaptions = 'raise') -> list[ImageRecord]:
    """Read ``{"images": [{"filename", "split", "sentences": [{"raw"}]}]}``, the layout of RSICD, RSITMD,
    UCM-Captions and Sydney-Captions.

    Args:
        path: the annotation file.
        blank_captions: see `build_records`.

    Raises:
        DataError: the file is missing, is not JSON, lacks a key, names a file twice, or holds an image without
            captions.
    """
    return karpathy_records(load_json(path), path, blank_captions=blank_captions)


def karpathy_records(content: Any, path: Path, *, blank_captions: BlankCaptions = 'raise') -> list[ImageRecord]:
    """Like `read_karpathy_json`, for a file that is already parsed; ``path`` is for messages."""
    layout = 'the Karpathy layout: images[].filename, .split, .sentences[].raw'

    def entries() -> Iterable[Entry]:
        for index, image in enumerate(get_key(content, 'images', list, path, 'the top level', layout)):
            where = f'images[{index}]'
            sentences = get_key(image, 'sentences', list, path, where, layout)
            yield Entry(
                get_key(image, 'filename', str, path, where, layout),
                get_key(image, 'split', str, path, where, layout),
                [get_key(s, 'raw', str, path, f'{where}.sentences[{i}]', layout) for i, s in enumerate(sentences)],
                where,
            )

    return build_records(path, entries(), blank_captions=blank_captions)


def read_nwpu_json(path: Path, *, blank_captions: BlankCaptions = 'raise') -> list[ImageRecord]:
    """Read ``{class: [{"filename", "split", "raw", "raw_1", .. "raw_4"}]}``, the layout of NWPU-Captions.

    The images lie in a folder for each class, so a record's file name is ``class/filename``.

    Args:
        path: the annotation file.
        blank_captions: see `build_records`.

    Raises:
        DataError: as for `read_karpathy_json`.
    """
    return nwpu_records(load_json(path), path, blank_captions=blank_captions)


def nwpu_records(content: Any, path: Path, *, blank_captions: BlankCaptions = 'raise') -> list[ImageRecord]:
    """Like `read_nwpu_json`, for a file that is already parsed; ``path`` is for messages."""
    layout = 'the layout of NWPU-Captions: class -> list of filename, split, raw, raw_1 .. raw_4'
    if not isinstance(content, dict):
        raise DataError(f'annotation file {path}: the top level must be a dict (expected {layout})')

    def entries() -> Iterable[Entry]:
        for name in content:
            for index, image in enumerate(get_key(content, name, list, path, 'the top level', layout)):
                where = f'{name!r}[{index}]'
                yield Entry(
                    f'{name}/{get_key(image, "filename", str, path, where, layout)}',
                    get_key(image, 'split', str, path, where, layout),
                    [
                        get_key(image, key, str, path, where, layout)
                        for key in ('raw', 'raw_1', 'raw_2', 'raw_3', 'raw_4')
                    ],
                    where,
                )

    return build_records(path, entries(), blank_captions=blank_captions)


def build_records(
    path: Path, entries: Iterable[Entry], *, blank_captions: BlankCaptions = 'raise'
) -> list[ImageRecord]:
    """Number images and captions, and check the rules that hold for every layout.

    Args:
        path: the file, for messages.
        entries: one for each image, in the order of the file.
        blank_captions: what to do with a caption without words: ``raise`` an error, or ``drop`` it and log how many
            there were; an image whose captions are all blank is dropped too, and a warning names it.

    Raises:
        DataError: no image, a file name that is empty, leaves the folder or occurs twice, a blank caption, or an image
            that lists no captions.
    """
    records: list[ImageRecord] = []
    blank: list[str] = []
    empty: list[str] = []
    seen: set[str] = set()
    next_caption_id = 0
    for image_id, entry in enumerate(entries):
        check_filename(entry.filename, f'annotation file {path}: {entry.where}')
        if entry.filename in seen:
            raise DataError(f'annotation file {path} names {entry.filename!r} twice; keep one entry for each image')
        seen.add(entry.filename)
        if not is_unicode(entry.split) or not all(map(is_unicode, entry.captions)):
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
        records.append(ImageRecord(image_id, entry.filename, entry.split, captions, caption_ids))
    if not seen:
        raise DataError(f'annotation file {path} lists no images')
    if not records:
        raise DataError(f'annotation file {path}: none of its {len(seen)} images has a caption; describe them')
    if blank:
        print_log(
            f'{path}: dropped {len(blank)} blank captions of {next_caption_id}, of images '
            f'{name_some(list(dict.fromkeys(blank)))}',
            logger='current',
        )
    if empty:
        print_log(
            f'{path}: left out {len(empty)} images of {len(seen)} that have no caption: {name_some(empty, most=10)}',
            logger='current',
            level=logging.WARNING,
        )
    return _with_usual_splits(records, path)


def usual_split_names(names: Iterable[str]) -> dict[str, str]:
    """Names of splits in a file -> names used here.

    Upper and lower case of train, val and test are the same; if none is val, a single one of `VAL_SPELLINGS` (any case)
    becomes val. All others keep their name.
    """
    usual = {name: name.lower() if name.lower() in ('train', 'val', 'test') else name for name in names}
    vals = [name for name in usual if name.lower() in VAL_SPELLINGS]
    if len(vals) == 1 and 'val' not in usual.values():
        usual[vals[0]] = 'val'
    return usual


def _with_usual_splits(records: list[ImageRecord], path: Path) -> list[ImageRecord]:
    usual = usual_split_names(dict.fromkeys(record.split for record in records))
    renamed = [f'{name!r} is {other}' for name, other in usual.items() if name != other]
    if not renamed:
        return records
    print_log(f'{path}: the split {", ".join(renamed)}', logger='current')
    return [record._replace(split=usual[record.split]) for record in records]


def load_json(path: Path) -> Any:
    """Parse a JSON file.

    Raises:
        DataError: missing, unreadable, or not JSON.
    """
    text = read_text(path)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError: also an integer of more than 4300 digits
        raise DataError(f'annotation file {path} is not JSON ({error}); download it again') from error


def read_text(path: Path) -> str:
    """Read a UTF-8 file, with or without a byte order mark; line ends stay as they are.

    Raises:
        DataError: missing or unreadable.
    """
    try:
        return Path(path).read_bytes().decode('utf-8-sig')
    except FileNotFoundError:
        raise DataError(f'annotation file {path} does not exist') from None
    except (OSError, ValueError) as error:  # ValueError: not UTF-8, or a null byte in the path
        raise DataError(f'annotation file {path} cannot be read ({error})') from error


def has_word(text: str) -> bool:
    """Whether a caption has a letter or digit: RSICD has captions of a lone full stop."""
    return any(character.isalnum() for character in text)


def check_filename(filename: str, where: str) -> None:
    """Make sure that a name is relative and stays in the folder of images.

    Raises:
        DataError: it is not; the sentence begins with ``where``.
    """
    path = PureWindowsPath(filename)  # accepts both separators
    if not filename.strip() or any(ord(c) < 32 for c in filename) or not is_unicode(filename):
        raise DataError(f'{where} has the file name {filename!r}, which is no file name')
    if path.drive or path.root or '..' in path.parts:
        raise DataError(f'{where} has the file name {filename!r}; names must be relative to the folder of images')


def is_unicode(text: str) -> bool:
    """Whether a text can be written as UTF-8: JSON can hold half a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def name_some(names: Sequence[str], most: int = 3) -> str:
    """The first names of a list, in one line for messages."""
    shown = [name if name.isprintable() else repr(name) for name in names[:most]]
    return ', '.join(shown) + (', ...' if len(names) > most else '')


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
