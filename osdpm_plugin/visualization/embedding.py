"""Embedding spaces of some models -> one picture, side by side on the same axes.

::

    title
    [t-SNE of model 1] [t-SNE of model 2] ...     disc: image, cross: its first caption; number: class, at its median
    cluster figures    cluster figures
    ■ 1 class (images) ■ 2 class (images) ...     the most frequent classes; the others in grey
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple, Optional

import matplotlib
import numpy as np
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from ..errors import ConfigError
from ..evaluation.embedded_split import EmbeddedSplit
from ..utils.checks import check_int
from .embedding_figures import ClusterFigures, cluster_figures
from .embedding_layout import align, first_captions, tsne
from .page import GREY, INK, LINE_HEIGHT, RULE, Page, blank, font_of, pixels_of, text_width, wrap

WIDTH = 1600  # pixels, all measures here
MARGIN = 32
GAP = 24
PANELS = 3  # in a row, at most
WIDEST = 900  # of a panel
SMALL, BODY, TITLE = 17, 20, 30  # font sizes
MOST_CLASSES = 20  # with a colour of their own
OTHER = '#b6bec7'
ALONE = 0.06  # margin around the points, as a share of their extent


class Space(NamedTuple):
    """The space of one model: (N, 2) points of images and of their first captions, figures of the whole space."""

    name: str
    image_points: np.ndarray
    caption_points: np.ndarray
    figures: ClusterFigures


def spaces_of(
    splits: Sequence[tuple[str, EmbeddedSplit]],
    labels: Sequence[Optional[str]],
    *,
    neighbours: int = 10,
    seed: int = 0,
) -> list[Space]:
    """The t-SNE points of the embeddings of several models, see `embedding_layout`.

    Args:
        splits: pairs of the name of a model and its embeddings of the same split.
        labels: N classes; None for an image without a class.
        neighbours: k of the figures.
        seed: of t-SNE.

    Raises:
        ConfigError: the splits hold different images or captions, or a number is out of range.
    """
    first = splits[0][1]
    for name, split in splits[1:]:
        same = all(np.array_equal(getattr(split, key), getattr(first, key)) for key in ('image_ids', 'caption_ids'))
        if not same or split.captions != first.captions:
            raise ConfigError(
                f'{name} embeds other images or captions than {splits[0][0]}; name configs of the same data and split'
            )
    figures = [cluster_figures(split, labels, neighbours=neighbours) for _, split in splits]
    own = first_captions(first)
    layouts = align([tsne(_unit(np.concatenate([s.image_embed, s.text_embed[own]])), seed=seed) for _, s in splits])
    return [
        Space(name, layout[: len(own)], layout[len(own) :], figure)
        for (name, _), layout, figure in zip(splits, layouts, figures)
    ]


def draw_embeddings(
    spaces: Sequence[Space], labels: Sequence[Optional[str]], *, title: str, most_classes: int = 12
) -> Figure:
    """Draw one panel for each model; the ``most_classes`` most frequent of the N labels have a colour of their own.

    Returns:
        Figure of `WIDTH` pixels; its height follows from its content.

    Raises:
        ConfigError: ``most_classes`` is out of range.
    """
    check_int('', 'most_classes', most_classes, most=MOST_CLASSES)
    counts = Counter(label for label in labels if label is not None)
    shown = sorted(counts, key=lambda label: (-counts[label], label))[:most_classes]
    page = Page(WIDTH)
    y, inner = MARGIN - 6, WIDTH - 2 * MARGIN
    y += page.paragraph(MARGIN, y, title, width=inner, size=TITLE, bold=True, most=2)
    note = (
        f'Disc: image, cross: its first caption, number: class at the median of its images. Each t-SNE is of its own, '
        f'turned onto the first; figures are of the embeddings, k = {spaces[0].figures.neighbours}.'
    )
    y += page.paragraph(MARGIN, y, note, width=inner, size=SMALL, color=GREY) + 14
    columns = min(PANELS, len(spaces))
    size = min(WIDEST, (inner - (columns - 1) * GAP) // columns)
    extent = (1 + ALONE) * max(np.abs([s.image_points, s.caption_points]).max() for s in spaces)
    for start in range(0, len(spaces), columns):
        heights = []
        for i, space in enumerate(spaces[start : start + columns]):
            x = MARGIN + i * (size + GAP)
            below = y + page.paragraph(x, y, space.name, width=size, size=BODY, bold=True, most=1)
            page.image(x, below + 4, _scatter(space, labels, shown, extent, size))
            below += size + 10
            for line in sentences_of(space.figures):
                below += page.paragraph(x, below, line, width=size, size=SMALL)
            heights.append(below - y)
        y += max(heights) + 18
    return page.figure(_legend(page, y, shown, counts, len(labels)) + MARGIN // 2)


def sentences_of(figures: ClusterFigures) -> list[str]:
    """The figures as sentences, one for each line."""
    return [
        f'silhouette of images (cosine) {figures.silhouette:.3f}',
        f'neighbours of the same class: images {figures.purity:.1f} % (chance {figures.purity_by_chance:.1f}), '
        f'captions {figures.caption_purity:.1f} % (chance {figures.caption_purity_by_chance:.1f})',
        f'neighbours shared by images and texts {figures.overlap:.1f} % (chance {figures.overlap_by_chance:.1f})',
    ]


def _scatter(
    space: Space, labels: Sequence[Optional[str]], shown: Sequence[str], extent: float, size: int
) -> np.ndarray:
    """A panel (size, size, 3) uint8; classes without a colour of their own are drawn below the others."""
    figure = blank(size, size)
    inset, limits = 1 / size, (-extent, extent)  # room for the frame
    axes = figure.add_axes((inset, inset, 1 - 2 * inset, 1 - 2 * inset), xlim=limits, ylim=limits, xticks=(), yticks=())
    axes.spines[:].set_color(RULE)
    label = np.array([shown.index(name) if name in shown else -1 for name in labels])
    for index in (-1, *range(len(shown))):
        own = label == index
        colour = OTHER if index < 0 else colour_of(index)
        (texts_x, texts_y), (images_x, images_y) = space.caption_points[own].T, space.image_points[own].T
        axes.scatter(texts_x, texts_y, s=12, marker='x', linewidths=0.8, color=colour, alpha=0.6)
        axes.scatter(images_x, images_y, s=14, marker='o', linewidths=0, color=colour, alpha=0.9)
    for index in range(len(shown)):
        x, y = np.median(space.image_points[label == index], axis=0)
        box = dict(boxstyle='circle,pad=0.2', facecolor='white', edgecolor=colour_of(index), linewidth=1.2, alpha=0.9)
        font = font_of(14, True)
        axes.text(x, y, str(index + 1), fontproperties=font, color=INK, ha='center', va='center', bbox=box)
    return pixels_of(figure)


def colour_of(index: int) -> str:
    """Colour of a class by its rank: ten dark colours, then ten light ones (matplotlib's ``tab20``)."""
    return to_hex(matplotlib.colormaps['tab20'](index * 2 if index < 10 else index * 2 - 19))


def _legend(page: Page, y: int, shown: Sequence[str], counts: Counter, images: int) -> int:
    """Number, class and images of each colour, in lines; returns the y below."""
    entries = [(colour_of(i), f'{i + 1} {name} ({counts[name]})') for i, name in enumerate(shown)]
    others = len(counts) - len(shown)
    if others:
        rest = sum(counts.values()) - sum(counts[name] for name in shown)
        entries.append((OTHER, f'{others} other classes ({rest})'))
    if images > sum(counts.values()):
        entries.append((OTHER, f'without class ({images - sum(counts.values())}), in no figure'))
    x, step = MARGIN, round(LINE_HEIGHT * SMALL)
    for colour, text in entries:
        (line,) = wrap(text, width=WIDTH // 3, size=SMALL, most=1)
        width = SMALL + 8 + text_width(line, SMALL) + 28
        if x > MARGIN and x + width > WIDTH - MARGIN:
            x, y = MARGIN, y + step
        page.rectangle(x, y + 3, SMALL, SMALL, colour)
        page.text(x + SMALL + 8, y, line, size=SMALL)
        x += width
    return y + step


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
