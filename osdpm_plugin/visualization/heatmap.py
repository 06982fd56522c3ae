"""Images with the maps of some models -> one picture of maps over images, with colour bars.

::

    title
    file name, width x height
    ── name of a model ────────────────────────────────────────────────────────
    [image] [spatial attention] [response] [scale 1] [scale 3] [scale 5] [mixed]     DAPN only
    [image] [relevance: embedding] [text 1] [text 2] ...                             every model
            low ▬▬▬▬▬▬▬ high
            unit
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from .heatmap_attention import Attention
from .heatmap_model import Explanation
from .heatmap_overlay import Scale, colour_bar, overlay, scale_of
from .images import fit
from .page import GREY, LINE_HEIGHT, RULE, Page, text_width, wrap

WIDTH = 1600  # pixels, all measures here
MARGIN = 32
GAP = 16
COLUMNS = 7
TILE_SIZE = (WIDTH - 2 * MARGIN - (COLUMNS - 1) * GAP) // COLUMNS  # of the longer edge of an image
BAR = 12
SMALL, BODY, HEADER, TITLE = 15, 17, 23, 30  # font sizes
TITLE_LINES = 3  # of a panel, at most
NOTE = (
    'Each cell of a map is an equal share of the image. Relevance: regions are painted with the mean colour of the '
    'image, red where the match then falls, blue where it rises.'
)


class Subject(NamedTuple):
    """The file of an image, its pixels (H, W, 3) uint8 RGB, and pairs of the name of a model and its maps of it."""

    path: str
    image: np.ndarray
    explanations: tuple[tuple[str, Explanation], ...]


class Panel(NamedTuple):
    """One map (h, w) over the image, with its title, and with scale and unit of its values for the colour bar."""

    title: str
    heat: np.ndarray
    scale: Scale
    unit: str


def attention_panels(attention: Attention) -> list[Panel]:
    """Spatial attention (if there is any), response, each scale with its weight, and the weighted sum of the scales.

    The saliency maps are in percent of the whole map and share one colour scale.
    """
    panels = []
    if attention.spatial is not None:
        panels.append(Panel('Spatial attention', attention.spatial, Scale(0.0, 1.0), 'weight'))
    response, unit = attention.response, 'root mean square over channels'
    panels.append(Panel('Response after channel attention', response, scale_of(response), unit))
    shares, mixed = 100 * attention.scale_saliency, 100 * attention.saliency
    scale, unit = scale_of(np.stack([*shares, mixed])), '% of the map in a cell'
    for edge, weight, share in zip(attention.scales, attention.scale_weights, shares):
        panels.append(Panel(f'Saliency by {edge} x {edge} cells, weight {weight:.3f}', share, scale, unit))
    return [*panels, Panel('Saliency, scales mixed', mixed, scale, unit)]


def relevance_panels(explanation: Explanation) -> list[Panel]:
    """The relevance for the image's own embedding, then for each text."""
    own = explanation.relevance
    panels = [Panel('Image embedding', own, scale_of(own), '1 - cosine when hidden')]
    for text, cosine, heat in explanation.texts:
        title, scale = f'\u201c{text}\u201d, cosine {cosine:.3f}', scale_of(heat, signed=True)
        panels.append(Panel(title, heat, scale, 'fall of the cosine when hidden'))
    return panels


def draw_heatmaps(subjects: Sequence[Subject], *, title: str) -> Figure:
    """Draw all maps of at least one subject below a title.

    Returns:
        Figure of `WIDTH` pixels; its height follows from its content.

    Raises:
        ConfigError: the picture would be too high.
    """
    page = Page(WIDTH)
    y, inner = MARGIN - 6, WIDTH - 2 * MARGIN
    y += page.paragraph(MARGIN, y, title, width=inner, size=TITLE, bold=True, most=2)
    y += page.paragraph(MARGIN, y, NOTE, width=inner, size=SMALL, color=GREY)
    for subject in subjects:
        height, width = subject.image.shape[:2]
        name = f'{subject.path}, {width} x {height} pixels'
        y += 22 + page.paragraph(MARGIN, y + 22, name, width=inner, size=HEADER, bold=True, most=2)
        picture = fit(subject.image, TILE_SIZE)
        for model, explanation in subject.explanations:
            page.rectangle(MARGIN, y + 6, inner, 2, RULE)
            y += 12 + page.paragraph(MARGIN, y + 12, model, width=inner, size=BODY, color=GREY, most=1)
            if explanation.attention is not None:
                y = _draw_strip(page, y + 8, picture, attention_panels(explanation.attention))
            y = _draw_strip(page, y + 8, picture, relevance_panels(explanation))
    return page.figure(y + MARGIN // 2)


def _draw_strip(page: Page, y: int, picture: np.ndarray, panels: Sequence[Panel]) -> int:
    """The image and the panels to its right, in as many rows as they need; returns the y below."""
    page.image(MARGIN, y + _heading(panels[: COLUMNS - 1]), picture)
    for start in range(0, len(panels), COLUMNS - 1):
        row = panels[start : start + COLUMNS - 1]
        top = y + _heading(row)
        for i, panel in enumerate(row):
            x = MARGIN + (i + 1) * (TILE_SIZE + GAP)
            lines = _title_of(panel)
            page.lines(x, top - 4 - round(len(lines) * LINE_HEIGHT * SMALL), lines, size=SMALL, bold=True)
            page.image(x, top, overlay(picture, panel.heat, panel.scale))
            _draw_bar(page, x, top + len(picture) + 6, picture.shape[1], panel)
        y = top + len(picture) + 6 + BAR + round(3 * LINE_HEIGHT * SMALL) + 6
    return y


def _draw_bar(page: Page, x: int, y: int, width: int, panel: Panel) -> None:
    """A colour bar as wide as the image, its ends, its unit."""
    page.image(x, y, colour_bar(panel.scale, BAR, width))
    low, high = f'{panel.scale.low:.3g}', f'{panel.scale.high:.3g}'
    page.text(x, y + BAR + 2, low, size=SMALL, color=GREY)
    after = x + text_width(low, SMALL) + 8
    page.text(max(after, x + width - text_width(high, SMALL)), y + BAR + 2, high, size=SMALL, color=GREY)
    below = y + BAR + 2 + round(LINE_HEIGHT * SMALL)
    page.paragraph(x, below, panel.unit, width=TILE_SIZE, size=SMALL, color=GREY, most=2)


def _title_of(panel: Panel) -> list[str]:
    return wrap(panel.title, width=TILE_SIZE, size=SMALL, bold=True, most=TITLE_LINES)


def _heading(panels: Sequence[Panel]) -> int:
    """Height of the titles above a row of panels."""
    return 4 + max(round(len(_title_of(panel)) * LINE_HEIGHT * SMALL) for panel in panels)
