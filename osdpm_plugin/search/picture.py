"""Queries with their matches -> one picture: the query at the left, what was found at the right, best first."""

from __future__ import annotations

import logging
import os
from typing import Any, Callable, Sequence

import numpy as np
from matplotlib.figure import Figure
from mmengine.logging import print_log

from ..visualization.gallery import BODY, LEFT, MARGIN, MOST_LINES, SMALL, TILE_SIZE, TITLE, WIDTH
from ..visualization.images import tile_of
from ..visualization.page import GREY, LINE_HEIGHT, MAX_HEIGHT, RULE, TILE, Page, text_width, wrap
from .query import Match

GAP = 16  # pixels, between two images
COLUMNS = 5
MOST_NAME_LINES = 2
MOST_DRAWN = 50  # matches of a query


def draw_matches(
    queries: Sequence[Any],
    answers: Sequence[Sequence[Match]],
    *,
    images_asked: bool,
    images_found: bool,
    title: str,
    read: Callable[[Any], np.ndarray],
) -> Figure:
    """Draw each query in a row of its own; those that do not fit below `MAX_HEIGHT` are left out with a warning.

    Args:
        queries: Q texts or images.
        answers: the matches of each, of which the first `MOST_DRAWN` are drawn.
        images_asked: queries are images.
        images_found: answers are images.
        title: first line.
        read: image as it was given -> (H, W, 3) uint8, red first.

    Returns:
        Figure of `WIDTH` pixels; its height follows from its content.

    Raises:
        DataError: an image cannot be read.
    """
    page = Page(WIDTH)
    y = MARGIN - 6
    lines = wrap(title, width=WIDTH - 2 * MARGIN, size=TITLE, bold=True, most=2)
    y += page.lines(MARGIN, y, lines, size=TITLE, bold=True)
    for drawn, (query, matches) in enumerate(zip(queries, answers)):
        mark, top = page.mark(), y + 30
        page.rectangle(MARGIN, y + 14, WIDTH - 2 * MARGIN, 2, RULE)
        asked = _draw_image(page, MARGIN, top, query, read) if images_asked else _draw_text(page, top, query)
        found = (_draw_images if images_found else _draw_texts)(page, top, matches[:MOST_DRAWN], read)
        if top + max(asked, found) + MARGIN > MAX_HEIGHT:
            page.back_to(mark)
            print_log(
                f'the picture shows the first {drawn} of {len(queries)} queries; with more it would be higher than '
                f'{MAX_HEIGHT} pixels, so ask for fewer at a time to see them all',
                logger='current',
                level=logging.WARNING,
            )
            break
        y = top + max(asked, found)
    return page.figure(y + MARGIN)


def _draw_text(page: Page, y: int, query: str) -> int:
    return page.lines(MARGIN, y, wrap(query, width=LEFT, size=BODY, bold=True, most=MOST_LINES), size=BODY, bold=True)


def _draw_image(page: Page, x: int, y: int, image: Any, read: Callable[[Any], np.ndarray]) -> int:
    """An image with its name below; returns the height."""
    page.image(x, y, tile_of(read(image), TILE_SIZE, ground=TILE))
    return TILE_SIZE + 6 + _draw_name(page, x, y + TILE_SIZE + 6, image)


def _draw_name(page: Page, x: int, y: int, image: Any) -> int:
    if not isinstance(image, (str, os.PathLike)):
        return 0
    name = os.path.basename(os.fspath(image))
    return page.lines(x, y, wrap(name, width=TILE_SIZE, size=SMALL, most=MOST_NAME_LINES), size=SMALL, color=GREY)


def _draw_images(page: Page, y: int, matches: Sequence[Match], read: Callable[[Any], np.ndarray]) -> int:
    start, height = MARGIN + LEFT + 30, 0
    for first in range(0, len(matches), COLUMNS):
        below = 0
        for column, match in enumerate(matches[first : first + COLUMNS]):
            x, top = start + column * (TILE_SIZE + GAP), y + height + TILE_SIZE + 4
            page.image(x, y + height, tile_of(read(match.answer), TILE_SIZE, ground=TILE))
            rank = str(match.rank)
            page.text(x, top, rank, size=BODY, bold=True)
            page.text(x + text_width(rank, BODY, True) + 12, top + 2, f'{match.score:.3f}', size=SMALL, color=GREY)
            line = round(LINE_HEIGHT * BODY)
            below = max(below, 4 + line + _draw_name(page, x, top + line, match.answer))
        height += TILE_SIZE + below + 12
    return height


def _draw_texts(page: Page, y: int, matches: Sequence[Match], read: Callable[[Any], np.ndarray]) -> int:
    start = MARGIN + LEFT + 30
    rank_width = text_width('0' * len(str(len(matches))), BODY, True) + 16
    x = start + rank_width + text_width('-0.000', SMALL) + 14
    height = 0
    for match in matches:
        page.text(start, y + height, str(match.rank), size=BODY, bold=True)
        page.text(start + rank_width, y + height + 3, f'{match.score:.3f}', size=SMALL, color=GREY)
        lines = wrap(str(match.answer), width=WIDTH - MARGIN - x, size=BODY, most=MOST_NAME_LINES)
        height += page.lines(x, y + height, lines, size=BODY) + 8
    return height
