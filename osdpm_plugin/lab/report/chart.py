"""Points and intervals -> small charts, drawn by matplotlib as SVG that stands within the page.

Colours are variables of the style sheet, so that a chart follows the page's scheme; lines differ in dashes too, so that
colour is never the only cue. Text stays text (``svg.fonttype`` 'none'): the page's fonts draw it, it can be searched
and copied, and it takes fewer bytes than outlines.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Sequence
from typing import Any, NamedTuple, Optional
from xml.etree import ElementTree

import numpy as np
from markupsafe import Markup
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ...visualization.page import printable
from ..experiments.statistics import Difference
from .scalars import Points

WIDTH, HEIGHT, ROW = 400, 236, 44  # units of the viewBox, as are all measures here; a row of a forest plot
COLOURS = 6  # --c0 ... of the style sheet; with the dashes, 30 styles differ
DASHES: tuple[tuple[int, ...], ...] = ((), (8, 5), (2, 5), (10, 5, 2, 5), (5, 3))
PAINTS = ('ink', 'soft', 'rule', 'ground', *(f'c{i}' for i in range(COLOURS)))  # variables of the style sheet
PAINT = {name: f'#0000{i:02x}' for i, name in enumerate(PAINTS, start=1)}  # what stands for them while matplotlib draws
STYLE: Any = {  # rcParams
    **{f'axes.spines.{side}': False for side in ('left', 'right', 'top')},
    **dict.fromkeys(('axes.edgecolor', 'axes.labelcolor', 'xtick.color', 'ytick.color'), PAINT['soft']),
    **dict.fromkeys(('axes.facecolor', 'figure.facecolor'), 'none'),
    'axes.grid': True,
    'axes.grid.axis': 'y',
    'axes.xmargin': 0.0,
    'figure.constrained_layout.use': True,
    'figure.dpi': 72,  # of SVG: points are units
    'font.family': 'DejaVu Sans',  # for the layout; it is wider than the page's own fonts
    'font.size': 13,
    'grid.color': PAINT['rule'],
    'lines.linewidth': 2,
    'lines.scale_dashes': False,
    'svg.fonttype': 'none',
    'ytick.major.size': 0,
}


class Series(NamedTuple):
    """One line to draw; without points, what a legend says of a style.

    Attributes:
        label: for the description or the legend.
        style: from 0; sets colour and dashes.
        points: in the units of the data; values that are not finite leave gaps.
        mark: point on which to draw a ring, or None.
    """

    label: str
    style: int
    points: Points = ()
    mark: Optional[tuple[float, float]] = None

    @property
    def colour(self) -> str:
        """Variable of the style sheet."""
        return f'c{self.style % COLOURS}'

    @property
    def dashes(self) -> tuple[int, ...]:
        """Lengths of dashes and gaps; none for a solid line."""
        return DASHES[self.style % len(DASHES)]


class Chart(NamedTuple):
    """A chart as drawn: its id on the page, title, the same in words, and view box and content of the SVG element."""

    ident: str
    title: str
    description: str
    view_box: str
    drawing: Markup


def line_chart(ident: str, title: str, unit: str, series: Sequence[Series]) -> Optional[Chart]:
    """Draw the series that have a finite value over a horizontal axis in ``unit``; None where there are none.

    ``ident`` is unique on the page: letters, digits and hyphens.
    """
    shown = [(one, [point for point in one.points if math.isfinite(point[1])]) for one in series]
    shown = [(one, finite) for one, finite in shown if finite]
    if not shown:
        return None
    with rc_context({**STYLE, 'svg.hashsalt': ident}):
        axes = _axes(HEIGHT, unit)
        for one, _ in shown:
            look = dict(color=PAINT[one.colour], clip_on=False)
            xs, ys = np.array(one.points, dtype=float).T
            seen = np.pad(np.isfinite(ys), 1)
            alone = seen[1:-1] & ~seen[:-2] & ~seen[2:]  # points between gaps, which no line shows
            ys = np.where(seen[1:-1], ys, math.nan)
            axes.plot(xs, ys, dashes=one.dashes, marker='.', markevery=alone, **look)
            if one.mark is not None:
                axes.plot(*one.mark, 'o', markersize=9, markeredgewidth=2, markerfacecolor=PAINT['ground'], **look)
        values = [y for _, finite in shown for _, y in finite]
        if 0 < min(values) < 0.35 * max(values):
            axes.set_ylim(bottom=0)
        axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        description = ' '.join(_in_words(one.label, finite, len(one.points), unit) for one, finite in shown)
        return _drawn(axes, ident, title, description)


def forest_plot(ident: str, title: str, unit: str, rows: Sequence[tuple[str, Difference]]) -> Chart:
    """Draw labelled intervals, at least one, below each other, with a line at zero; see `line_chart`."""
    with rc_context({**STYLE, 'axes.grid.axis': 'x', 'axes.xmargin': 0.05, 'svg.hashsalt': ident}):
        axes = _axes(52 + ROW * len(rows), unit)
        axes.axvline(0, color=PAINT['soft'], linewidth=1.6)
        for y, (label, value) in enumerate(rows):
            look = dict(color=PAINT['c0'], markersize=9, clip_on=False)
            axes.plot([value.low, value.high], [y, y], marker='|', markeredgewidth=2, **look)
            axes.plot(value.mean, y, 'o', **look)
            text = axes.text(0.5, y - 0.35, printable(label), ha='center', transform=axes.get_yaxis_transform())
            box = dict(facecolor=PAINT['ground'], edgecolor='none', pad=1)
            text.set(color=PAINT['ink'], bbox=box, in_layout=False, parse_math=False)
        axes.set(ylim=(len(rows) - 0.6, -0.9), yticks=[])
        description = ' '.join(f'{label}: {value}.' for label, value in rows)
        return _drawn(axes, ident, title, description)


def number(value: float) -> str:
    """A number in few letters, the minus sign its own."""
    return f'{value:.4g}'.replace('-', '\u2212')


def _axes(height: int, unit: str) -> Any:
    """Axes of a figure of `WIDTH` x ``height``."""
    axes = Figure(figsize=(WIDTH / 72, height / 72)).add_subplot()
    axes.set_xlabel(unit)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
        axis.set_major_formatter(lambda value, _: number(value))
    return axes


def _drawn(axes: Any, ident: str, title: str, description: str) -> Chart:
    """What can be seen of the figure, as elements of SVG in one row."""
    out = io.BytesIO()
    axes.figure.savefig(out, format='svg', metadata=dict.fromkeys(('Creator', 'Date', 'Format', 'Type')))
    root = ElementTree.fromstring(out.getvalue())
    parts = []
    for element in root.iter():
        tag = element.tag.rpartition('}')[2]
        if tag in ('path', 'text', 'use') and element.get('style') != 'fill: none':
            kept = {key.rpartition('}')[2]: _for_page(value) for key, value in element.attrib.items()}
            drawn = ElementTree.Element(tag, {key: kept[key] for key in kept if key not in ('clip-path', 'transform')})
            drawn.text = element.text if tag == 'text' else None
            text = ElementTree.tostring(drawn, encoding='unicode')
            parts.append(f'<defs>{text}</defs>' if 'id' in kept else text)  # the shape of a mark, which 'use' places
    return Chart(ident, title, description, root.attrib['viewBox'], Markup(''.join(parts)))


def _for_page(value: str) -> str:
    """An attribute with colours of the page and without fonts, long fractions and line breaks."""
    value = re.sub('#0000(..)', lambda match: f'var(--{PAINTS[int(match[1], 16) - 1]})', value)
    return ' '.join(re.sub(r'(\.\d)\d+', r'\1', re.sub('font[^;]*;', '', value)).split())


def _in_words(label: str, finite: Sequence[tuple[float, float]], total: int, unit: str) -> str:
    (x0, y0), (x1, y1) = finite[0], finite[-1]
    text = f'{label}: {number(y0)} at {unit} {number(x0)}'
    if len(finite) > 1:
        low, high = min(y for _, y in finite), max(y for _, y in finite)
        text += f', {number(y1)} at {unit} {number(x1)}, between {number(low)} and {number(high)}'
    if total > len(finite):
        text += f', not finite at {total - len(finite)} of {total} places'
    return f'{text}.'
