"""Karpathy's JSON -> records: RSICD, RSITMD, UCM-Captions, Sydney-Captions, Flickr8k, Flickr30k and COCO have it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterable, Optional

from .records import BlankCaptions, Entry, ImageRecord, build_records, get_key
from .rows import file_in
from .text_files import load_json

_LAYOUT = 'the Karpathy layout: images[].filename, .split, .sentences[].raw'


def read_karpathy_json(
    path: Path, *, blank_captions: BlankCaptions = 'raise', images: Optional[Path] = None
) -> list[ImageRecord]:
    """Read ``{"images": [{"filename", "split", "sentences": [{"raw"}]}]}``.

    ``split`` may be absent from all images. Where there is ``filepath``, as in COCO's file, it is the folder of the
    image.

    Args:
        path: the annotation file.
        blank_captions: see `build_records`.
        images: see `build_records`.

    Raises:
        DataError: the file is missing, is not JSON, lacks a key, names a file twice, or holds an image without
            captions.
    """
    return build_records(path, karpathy_entries(load_json(path), path), blank_captions=blank_captions, images=images)


def karpathy_entries(content: Any, path: Path) -> Iterable[Entry]:
    """The entries of a file that is already parsed; ``path`` is for messages."""
    for index, image in enumerate(get_key(content, 'images', list, path, 'the top level', _LAYOUT)):
        where = f'images[{index}]'
        filename = get_key(image, 'filename', str, path, where, _LAYOUT)
        if image.get('filepath') is not None:
            filename = file_in(get_key(image, 'filepath', str, path, where, _LAYOUT), filename)
        split = None if image.get('split') is None else get_key(image, 'split', str, path, where, _LAYOUT)
        sentences = get_key(image, 'sentences', list, path, where, _LAYOUT)
        captions = [get_key(s, 'raw', str, path, f'{where}.sentences[{i}]', _LAYOUT) for i, s in enumerate(sentences)]
        yield Entry(filename, split or None, captions, where)
