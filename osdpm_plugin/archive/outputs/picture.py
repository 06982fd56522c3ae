"""Hits -> one picture: a row a query, with the tiles that were found, cut from their scenes, best first."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Callable, Sequence

import numpy as np
from matplotlib.figure import Figure
from mmengine.logging import print_log

from ...errors import DataError
from ...search.picture import COLUMNS, GAP, MOST_DRAWN, MOST_NAME_LINES
from ...visualization.gallery import BODY, LEFT, MARGIN, MOST_LINES, SMALL, TILE_SIZE, TITLE, WIDTH
from ...visualization.images import tile_of
from ...visualization.page import GREY, LINE_HEIGHT, MAX_HEIGHT, RULE, TILE, Page, save_figure, text_width
from ..hits import Hit, Hits

if TYPE_CHECKING:
    from ..archive import Archive

RIM = 2  # pixels, around a tile that is not there
MOST_REASON_LINES = 6


def write_picture(results: Sequence[Hits], path: str, archive: Archive) -> None:
    """Draw the hits into a PNG file.

    Raises:
        ConfigError: the operating system refused.
    """
    save_figure(draw_hits(results, title=f'Hits in {archive.folder.path.name}', read=archive.pixels), path)


def draw_hits(results: Sequence[Hits], *, title: str, read: Callable[[Hit], np.ndarray]) -> Figure:
    """Draw each query in a row of its own; those that do not fit below `MAX_HEIGHT` are left out with a warning.

    Args:
        results: hits of each query, of which the first `MOST_DRAWN` are drawn.
        title: first line.
        read: hit -> (h, w, 3) uint8, red first; where it raises DataError, a frame with the reason is drawn.

    Returns:
        Figure of `WIDTH` pixels; its height follows from its content.
    """
    page = Page(WIDTH)
    y = MARGIN - 6
    y += page.paragraph(MARGIN, y, title, width=WIDTH - 2 * MARGIN, size=TITLE, bold=True, most=2)
    for drawn, hits in enumerate(results):
        mark, top = page.mark(), y + 30
        page.rectangle(MARGIN, y + 14, WIDTH - 2 * MARGIN, 2, RULE)
        height = max(_draw_query(page, top, hits), _draw_tiles(page, top, hits[:MOST_DRAWN], read))
        if top + height + MARGIN > MAX_HEIGHT:
            page.back_to(mark)
            print_log(
                f'the picture shows the first {drawn} of {len(results)} queries; with more it would be higher than '
                f'{MAX_HEIGHT} pixels, so ask for fewer at a time to see them all',
                logger='current',
                level=logging.WARNING,
            )
            break
        y = top + height
    return page.figure(y + MARGIN)


def place_in_words(hit: Hit) -> str:
    """Latitude and longitude of the middle, or the window where there is no georeference."""
    if hit.lon is None or hit.lat is None:
        return f'row {hit.window[0]}, column {hit.window[1]}'
    north, east = 'N' if hit.lat >= 0 else 'S', 'E' if hit.lon >= 0 else 'W'
    return f'{abs(hit.lat):.4f}°{north} {abs(hit.lon):.4f}°{east}'


def _draw_query(page: Page, y: int, hits: Hits) -> int:
    height = page.paragraph(MARGIN, y, hits.query, width=LEFT, size=BODY, bold=True, most=MOST_LINES) + 6
    count = f'{len(hits) or "no"} hit{"" if len(hits) == 1 else "s"}'
    drawn = f', of which {MOST_DRAWN} are drawn' if len(hits) > MOST_DRAWN else ''
    way = '' if hits.exact else ', approximate search'
    return height + page.paragraph(MARGIN, y + height, count + drawn + way, width=LEFT, size=SMALL, color=GREY)


def _draw_tiles(page: Page, y: int, hits: Sequence[Hit], read: Callable[[Hit], np.ndarray]) -> int:
    start, height = MARGIN + LEFT + 30, 0
    for first in range(0, len(hits), COLUMNS):
        below = 0
        for column, hit in enumerate(hits[first : first + COLUMNS]):
            x, top = start + column * (TILE_SIZE + GAP), y + height
            _draw_tile(page, x, top, hit, read)
            below = max(below, _draw_label(page, x, top + TILE_SIZE + 4, hit))
        height += TILE_SIZE + 4 + below + 12
    return height


def _draw_tile(page: Page, x: int, y: int, hit: Hit, read: Callable[[Hit], np.ndarray]) -> None:
    try:
        page.image(x, y, tile_of(read(hit), TILE_SIZE, ground=TILE))
    except DataError as error:
        inner = TILE_SIZE - 2 * RIM
        reason = str(error.__cause__ or error).replace(hit.source, os.path.basename(hit.source))
        page.rectangle(x, y, TILE_SIZE, TILE_SIZE, RULE)
        page.rectangle(x + RIM, y + RIM, inner, inner, 'white')
        page.paragraph(x + 12, y + 12, reason, width=TILE_SIZE - 24, size=SMALL, color=GREY, most=MOST_REASON_LINES)


def _draw_label(page: Page, x: int, y: int, hit: Hit) -> int:
    """Rank and score, place, date and scene below each other; returns their height."""
    rank = str(hit.rank)
    page.text(x, y, rank, size=BODY, bold=True)
    page.text(x + text_width(rank, BODY, True) + 12, y + 2, f'{hit.score:.3f}', size=SMALL, color=GREY)
    height = round(LINE_HEIGHT * BODY)
    for line in (place_in_words(hit), '' if hit.datetime is None else f'{hit.datetime:%Y-%m-%d}', hit.scene):
        height += page.paragraph(x, y + height, line, width=TILE_SIZE, size=SMALL, color=GREY, most=MOST_NAME_LINES)
    return height
