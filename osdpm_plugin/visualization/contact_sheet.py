"""A data set -> a grid of its images, each with one of its captions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from ..errors import ConfigError
from ..utils.checks import check_int
from .images import ImageReader, read_image, tile_of
from .page import TILE, Page

WIDTH = 1600  # pixels, all measures here
GAP = 10
FONT = 17
MOST_LINES = 5  # of a caption


class Example(NamedTuple):
    """An image file and one of its captions."""

    path: str
    caption: str


def pick_examples(dataset: Any, number: int, *, seed: int = 0) -> list[Example]:
    """Draw images at random, and one caption of each.

    Args:
        dataset: has a length and `get_data_info`, which gives ``img_path`` and ``captions``; no pipeline runs.
        number: of images; if there are fewer, all are used.
        seed: of the random choice.

    Raises:
        ConfigError: a number is out of range, or the data set has no captions.
    """
    check_int('contact sheet', 'number', number)
    check_int('contact sheet', 'seed', seed, least=0)
    draw = np.random.default_rng(seed)
    examples = []
    for index in draw.choice(len(dataset), size=min(number, len(dataset)), replace=False):
        item = dataset.get_data_info(int(index))
        if not item.get('captions') or not item.get('img_path'):
            raise ConfigError(f'{type(dataset).__name__} has images without captions; name the config of a caption set')
        examples.append(Example(str(item['img_path']), str(item['captions'][draw.integers(len(item['captions']))])))
    return examples


def draw_contact_sheet(
    examples: Sequence[Example], *, columns: int = 6, captions: bool = False, read: ImageReader = read_image
) -> Figure:
    """Draw at least one example in a grid, row by row.

    Args:
        examples: images, each with a caption.
        columns: images in a row.
        captions: write the caption below each image.
        read: path -> (H, W, 3) uint8 RGB.

    Returns:
        Figure of `WIDTH` pixels; its height follows from its content.

    Raises:
        DataError: an image cannot be read.
        ConfigError: ``columns`` is out of range, or the picture would be too high.
    """
    check_int('contact sheet', 'columns', columns, most=WIDTH // (4 * GAP))
    page = Page(WIDTH)
    size = (WIDTH - (columns + 1) * GAP) // columns
    margin = (WIDTH - columns * size - (columns - 1) * GAP) // 2
    y = margin
    for start in range(0, len(examples), columns):
        below = 0
        for i, example in enumerate(examples[start : start + columns]):
            x = margin + i * (size + GAP)
            page.image(x, y, tile_of(read(example.path), size, ground=TILE))
            if captions:
                room: Any = dict(width=size - 4, size=FONT, most=MOST_LINES)
                below = max(below, 5 + page.paragraph(x + 2, y + size + 5, example.caption, **room))
        y += size + below + GAP
    return page.figure(y - GAP + margin)
