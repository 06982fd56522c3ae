"""Queries with ranked answers -> one picture: text to image above, image to text below.

::

    title, how the queries were chosen
    ── Text to image ─────────────────────────── R@K
    caption          [image 1] [image 2] [image 3] ...     thick green frame: its own image, thin red: another
    rank of right    v 1  0.83  x 2 0.80  x 3 0.79
    ── Image to text ─────────────────────────── R@K
    [image]          v 1  0.81  caption                    bold green, check mark: its own caption
    rank of right    x 2  0.80  caption                    grey, red cross: of another image
"""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from ..evaluation.embedded_split import EmbeddedSplit
from .answers import Query, Retrieval, Retrievals
from .images import ImageReader, read_image, tile_of
from .page import GREY, INK, LINE_HEIGHT, RULE, TILE, Page, text_width

WIDTH = 1600  # pixels, all measures here
MARGIN = 32
FRAME = 8  # of a right answer; a wrong answer has half of it
GAP = 2 * FRAME + 8  # between two images, with their frames
LABEL = 34  # height of the line below an image
LEFT = 330  # width of the column of queries
TILE_SIZE = 216
ANSWERS_PER_LINE = 8
BODY, SMALL, HEADER, TITLE = 21, 18, 25, 32  # font sizes
MOST_LINES = 8  # of a query
MOST_ANSWER_LINES = 2

RIGHT, WRONG = '#0a7d4f', '#cc3311'
CHECK, CROSS = '\u2713', '\u2717'


def draw_gallery(retrievals: Retrievals, split: EmbeddedSplit, *, title: str, read: ImageReader = read_image) -> Figure:
    """Draw both directions.

    Args:
        retrievals: queries and answers, positions in ``split``.
        split: gives paths of images and texts of captions; its embeddings are not used.
        title: first line; a line below says how the queries were chosen.
        read: path -> (H, W, 3) uint8 RGB.

    Returns:
        Figure of `WIDTH` pixels; its height follows from its content.

    Raises:
        DataError: an image cannot be read.
        ConfigError: the picture would be too high.
    """
    page = Page(WIDTH)
    y = MARGIN - 6
    inner = WIDTH - 2 * MARGIN
    y += page.paragraph(MARGIN, y, title, width=inner, size=TITLE, bold=True, most=2)
    kind = 'Random misses (right answer not at rank 1)' if retrievals.only_misses else 'Random queries'
    how = (
        f'{kind}, seed {retrievals.seed}, among {len(split.image_ids)} images and {len(split.caption_ids)} captions. '
        f'{CHECK} green: right, {CROSS} red: wrong; with rank and score.'
    )
    y += page.paragraph(MARGIN, y, how, width=inner, size=SMALL, color=GREY)
    for name, noun, way, draw in (
        ('Text to image', 'captions', retrievals.t2i, _draw_text_query),
        ('Image to text', 'images', retrievals.i2t, _draw_image_query),
    ):
        y = _draw_header(page, y + 22, name, way, noun, retrievals.only_misses)
        for query in way.queries:
            y = draw(page, y + 18, query, split, read) + 10
        if not way.queries:
            page.text(MARGIN, y + 14, f'No misses: each right answer of {way.total} is at rank 1.', size=BODY)
            y += 14 + round(LINE_HEIGHT * BODY)
    return page.figure(y + MARGIN // 2)


def _draw_header(page: Page, y: int, name: str, way: Retrieval, noun: str, only_misses: bool) -> int:
    """Name of a direction, where its queries come from, and the recall of all queries; returns the y below."""
    page.text(MARGIN, y, name, size=HEADER, bold=True)
    pool = f'{way.drawn_from} missed of {way.total} {noun}' if only_misses else f'{way.total} {noun}'
    x = MARGIN + text_width(name, HEADER, True) + 18
    page.text(x, y + HEADER - SMALL, f'{len(way.queries)} of {pool}', size=SMALL, color=GREY)
    recall = f'all {way.total}: ' + ', '.join(f'R@{k} {value:.1f} %' for k, value in way.recall.items())
    page.text(WIDTH - MARGIN - text_width(recall, SMALL), y + HEADER - SMALL, recall, size=SMALL, color=GREY)
    y += round(LINE_HEIGHT * HEADER) + 4
    page.rectangle(MARGIN, y, WIDTH - 2 * MARGIN, 2, RULE)
    return y + 2


def _draw_text_query(page: Page, y: int, query: Query, split: EmbeddedSplit, read: ImageReader) -> int:
    height = page.paragraph(MARGIN, y, split.captions[query.item], width=LEFT, size=BODY, most=MOST_LINES)
    height += _draw_verdict(page, y + height + 6, query, 'its image') + 6
    start, end = MARGIN + LEFT + 30 + FRAME, WIDTH - MARGIN - FRAME
    columns = max(1, min(len(query.answers), ANSWERS_PER_LINE))
    size = min(TILE_SIZE, (end - start - (columns - 1) * GAP) // columns)
    step = size + FRAME + LABEL + FRAME
    for i, answer in enumerate(query.answers):
        left, top = start + i % columns * (size + GAP), y + FRAME + i // columns * step
        color, mark, frame = (RIGHT, CHECK, FRAME) if answer.right else (WRONG, CROSS, FRAME // 2)
        page.rectangle(left - frame, top - frame, size + 2 * frame, size + 2 * frame, color)
        page.image(left, top, tile_of(read(split.image_paths[answer.item]), size, ground=TILE))
        label, below = f'{mark} {answer.rank}', top + size + FRAME + 4
        page.text(left, below, label, size=BODY, color=color, bold=True)
        page.text(left + text_width(label, BODY, True) + 12, below + 2, f'{answer.score:.3f}', size=SMALL, color=GREY)
    return y + max(height, -(-len(query.answers) // columns) * step)


def _draw_image_query(page: Page, y: int, query: Query, split: EmbeddedSplit, read: ImageReader) -> int:
    page.image(MARGIN, y + FRAME, tile_of(read(split.image_paths[query.item]), TILE_SIZE, ground=TILE))
    height = FRAME + TILE_SIZE + 6
    height += _draw_verdict(page, y + height, query, 'its first caption')
    start = MARGIN + TILE_SIZE + 40  # of the marks; then the columns of ranks, scores and captions
    ranks = start + text_width(CROSS, BODY, True) + 8
    scores = ranks + text_width('0' * len(str(len(query.answers))), BODY, True) + 16
    captions = scores + text_width('-0.000', SMALL) + 14
    room: Any = dict(width=WIDTH - MARGIN - captions, size=BODY, most=MOST_ANSWER_LINES)
    top = y
    for answer in query.answers:
        color, mark = (RIGHT, CHECK) if answer.right else (WRONG, CROSS)
        page.text(start, top, mark, size=BODY, color=color, bold=True)
        page.text(ranks, top, str(answer.rank), size=BODY, color=color, bold=True)
        page.text(scores, top + 3, f'{answer.score:.3f}', size=SMALL, color=GREY)
        look: Any = dict(color=RIGHT, bold=True) if answer.right else dict(color=GREY)
        top += page.paragraph(captions, top, split.captions[answer.item], **room, **look) + 8
    return max(y + height, top)


def _draw_verdict(page: Page, y: int, query: Query, what: str) -> int:
    """Where the right answer came; returns the height of the line."""
    hit = query.rank_of_right == 1
    return page.lines(MARGIN, y, [f'{what}: rank {query.rank_of_right}'], size=SMALL, color=RIGHT if hit else INK)
