"""Karpathy-style JSON -> list of `ImageRecord`, or one sentence that says what is wrong with the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal, NamedTuple

from ..errors import DataError

BlankCaptions = Literal['raise', 'drop']


class ImageRecord(NamedTuple):
    """One entry of an annotation file.

    Attributes:
        image_id: position of the image in the file, so that it is unique across splits.
        filename: as in the file, relative to the folder of images.
        split: as in the file, e.g. ``train``.
        captions: raw texts, stripped.
        caption_ids: running number of each caption in the file, blank ones included.
    """

    image_id: int
    filename: str
    split: str
    captions: tuple[str, ...]
    caption_ids: tuple[int, ...]


def read_karpathy_json(path: Path, *, blank_captions: BlankCaptions = 'raise') -> list[ImageRecord]:
    """Read ``{"images": [{"filename", "split", "sentences": [{"raw"}]}]}``, the layout of RSICD, RSITMD and
    UCM-Captions.

    Args:
        path: the annotation file.
        blank_captions: what a caption without any word means: ``raise`` an error, or ``drop`` the caption.

    Raises:
        DataError: the file is missing, is not JSON, lacks a key, names a file twice, or holds an image without
            captions.
    """
    try:
        content = json.loads(Path(path).read_text(encoding='utf-8'))
    except FileNotFoundError:
        raise DataError(f'annotation file {path} does not exist') from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f'annotation file {path} cannot be read ({error})') from error
    except (json.JSONDecodeError, RecursionError) as error:
        raise DataError(f'annotation file {path} is not JSON ({error}); download it again') from error

    images = _get(content, 'images', list, path, 'the top level')
    if not images:
        raise DataError(f'annotation file {path} lists no images')
    records, next_caption_id, seen = [], 0, set()
    for image_id, image in enumerate(images):
        where = f'images[{image_id}]'
        filename = _get(image, 'filename', str, path, where)
        split = _get(image, 'split', str, path, where)
        sentences = _get(image, 'sentences', list, path, where)
        if filename in seen:
            raise DataError(f'annotation file {path} names {filename!r} twice; keep one entry for each image')
        seen.add(filename)
        texts = [
            _get(sentence, 'raw', str, path, f'{where}.sentences[{i}]').strip() for i, sentence in enumerate(sentences)
        ]
        kept = [(next_caption_id + i, text) for i, text in enumerate(texts) if _has_word(text)]
        next_caption_id += len(texts)
        if blank_captions == 'raise' and len(kept) < len(texts):
            raise DataError(
                f'annotation file {path}: {len(texts) - len(kept)} of the {len(texts)} captions of {filename!r} '
                "are blank; fill them in, or set blank_captions='drop'"
            )
        if not kept:
            raise DataError(
                f'annotation file {path}: image {filename!r} has no caption; remove the image or describe it'
            )
        caption_ids, captions = zip(*kept)
        records.append(ImageRecord(image_id, filename, split, captions, caption_ids))
    return records


def _has_word(text: str) -> bool:
    return any(character.isalnum() for character in text)


def _get(entry: Any, key: str, kind: type, path: Path, where: str) -> Any:
    """Return ``entry[key]`` if it is there and of the right kind."""
    if not isinstance(entry, dict) or key not in entry:
        raise DataError(
            f'annotation file {path}: {where} lacks the key {key!r} (expected the Karpathy layout: '
            'images[].filename, .split, .sentences[].raw)'
        )
    value = entry[key]
    if not isinstance(value, kind):
        raise DataError(f'annotation file {path}: {where}[{key!r}] must be {kind.__name__}, got {type(value).__name__}')
    return value
