"""Six images with planted copies, and captions whose counts are worked by hand."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance


def picture(seed: int, size: int = 96) -> Image.Image:
    """A smooth picture; those of different seeds have nothing in common."""
    coarse = np.random.default_rng(seed).integers(0, 200, (8, 8, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((size, size), Image.Resampling.BICUBIC)


def jpeg(image: Image.Image, quality: int = 60) -> Image.Image:
    content = io.BytesIO()
    image.save(content, 'JPEG', quality=quality)
    return Image.open(io.BytesIO(content.getvalue()))


def write_set(root: Path, images: list) -> None:
    """``(file name, split, picture, captions)`` -> the Karpathy layout."""
    (root / 'images').mkdir(parents=True)
    for name, _, image, _ in images:
        image.save(root / 'images' / name)
    entries = [
        dict(filename=name, split=split, sentences=[dict(raw=text) for text in texts])
        for name, split, _, texts in images
    ]
    (root / 'dataset.json').write_text(json.dumps(dict(images=entries)))


def write_planted(root: Path) -> None:
    """park and planes have copies in val and test; river has none."""
    park, planes, river = (picture(seed) for seed in (1, 2, 3))
    write_set(
        root,
        [
            ('park.png', 'train', park, ['A park .', 'a park']),
            ('planes.png', 'train', planes, ['two planes', 'two planes']),
            ('park_copy.png', 'test', park, ['a park', 'a lake']),
            ('planes_jpeg.png', 'val', jpeg(planes), ['Two planes!', '.']),
            ('planes_bright.png', 'test', ImageEnhance.Brightness(planes).enhance(1.1), ['a lake', 'a bridge']),
            ('river.png', 'train', river, ['two planes', 'a river']),
        ],
    )
