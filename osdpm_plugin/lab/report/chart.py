"""Points -> positions on a small chart, in units of its viewBox; templates/chart.html draws them.

Lines differ in colour and in dashes, so that colour is never the only cue; colours follow the scheme of the page.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Callable, ClassVar, NamedTuple, Optional

from .scalars import Points

WIDTH, HEIGHT = 400, 236  # of the viewBox, as are all measures here
TOP, BOTTOM, RIGHT = 12, 40, 14  # margins; the left one follows from the labels
LETTER = 7.0  # width of a digit, at most
ROW = 44  # of a forest plot
COLOURS, DASHES = 6, 5  # classes c0 ... and d0 ... of the style sheet; 30 styles differ


class Legend(NamedTuple):
    """What a style stands for.

    Attributes:
        style: from 0.
        label: plain text.
    """

    style: int
    label: str

    @property
    def classes(self) -> str:
        """Of the style sheet."""
        return classes_of(self.style)


class Series(NamedTuple):
    """One line to draw.

    Attributes:
        label: for the description.
        style: see `Legend`.
        points: in the units of the data; gaps are left where a value is not finite.
        mark: point on which to draw a ring, or None.
    """

    label: str
    style: int
    points: Points
    mark: Optional[tuple[float, float]] = None


class Line(NamedTuple):
    """A line as drawn.

    Attributes:
        classes: of the style sheet.
        path: of SVG.
        mark: centre of a ring, or None.
    """

    classes: str
    path: str
    mark: Optional[tuple[float, float]]


class Tick(NamedTuple):
    """A place on an axis.

    Attributes:
        at: coordinate.
        label: number.
    """

    at: float
    label: str


@dataclass(frozen=True)
class Chart:
    """A line chart.

    Attributes:
        ident: unique on the page.
        title: what is drawn.
        description: where each line begins and ends, in words.
        unit: of the horizontal axis.
        left: where the horizontal axis begins.
        lines: in drawing order.
        x_ticks: on the horizontal axis.
        y_ticks: on the vertical one.
    """

    ident: str
    title: str
    description: str
    unit: str
    left: float
    lines: tuple[Line, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]

    width: ClassVar[int] = WIDTH
    height: ClassVar[int] = HEIGHT
    right: ClassVar[int] = WIDTH - RIGHT
    bottom: ClassVar[int] = HEIGHT - BOTTOM


class Interval(NamedTuple):
    """A row of a forest plot.

    Attributes:
        label: what is compared.
        text: mean and interval in numbers.
        y: of the bar.
        low: end of the bar.
        mean: of the mark.
        high: other end.
    """

    label: str
    text: str
    y: float
    low: float
    mean: float
    high: float


@dataclass(frozen=True)
class Forest:
    """Differences with their intervals, one below the other.

    Attributes:
        ident: unique on the page.
        title: what is drawn.
        description: the same in words.
        unit: of the axis.
        height: of the viewBox.
        zero: coordinate of no difference.
        rows: from above.
        ticks: on the axis.
    """

    ident: str
    title: str
    description: str
    unit: str
    height: float
    zero: float
    rows: tuple[Interval, ...]
    ticks: tuple[Tick, ...]

    width: ClassVar[int] = WIDTH

    @property
    def bottom(self) -> float:
        """Of the plot, above the axis labels."""
        return self.height - BOTTOM


def classes_of(style: int) -> str:
    """Colour and dashes of a style."""
    return f'c{style % COLOURS} d{style % DASHES}'


def line_chart(ident: str, title: str, unit: str, series: Sequence[Series]) -> Optional[Chart]:
    """Lay out lines.

    Args:
        ident: unique on the page, letters, digits and hyphens.
        title: what is drawn.
        unit: of the horizontal axis.
        series: lines; those without a finite value are left out.

    Returns:
        None where no line is left.
    """
    shown = [(one, [p for p in one.points if math.isfinite(p[1])]) for one in series]
    shown = [(one, finite) for one, finite in shown if finite]
    if not shown:
        return None
    ys = [y for _, finite in shown for _, y in finite]
    xs = [x for one, _ in shown for x, _ in one.points]
    y_values = ticks_between(0.0 if 0 < min(ys) < 0.35 * max(ys) else min(ys), max(ys), most=5)
    x_low, x_high = min(xs), max(xs)
    x_values = [x for x in ticks_between(x_low, x_high, most=6, whole=True) if x_low <= x <= x_high]
    left = 12 + LETTER * max(len(number(y)) for y in y_values)
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM

    def place(x: float, y: float) -> tuple[float, float]:
        across = (x - x_low) / (x_high - x_low) if x_high > x_low else 0.5
        up = (y - y_values[0]) / (y_values[-1] - y_values[0])
        return round(left + across * (right - left), 1), round(bottom - up * (bottom - TOP), 1)

    return Chart(
        ident=ident,
        title=title,
        description=' '.join(_in_words(one.label, finite, len(one.points), unit) for one, finite in shown),
        unit=unit,
        left=left,
        lines=tuple(
            Line(classes_of(one.style), _path(one.points, place), None if one.mark is None else place(*one.mark))
            for one, _ in shown
        ),
        x_ticks=tuple(Tick(place(x, y_values[0])[0], number(x)) for x in x_values),
        y_ticks=tuple(Tick(place(x_low, y)[1], number(y)) for y in y_values),
    )


def forest_plot(ident: str, title: str, unit: str, rows: Sequence[tuple[str, float, float, float]]) -> Forest:
    """Lay out intervals.

    Args:
        ident: unique on the page.
        title: what is drawn.
        unit: of the axis.
        rows: label, mean, low and high end; at least one.
    """
    values = ticks_between(min(0.0, *(row[2] for row in rows)), max(0.0, *(row[3] for row in rows)), most=6)
    left, right = 2 * LETTER, WIDTH - 2 * LETTER

    def place(value: float) -> float:
        return round(left + (value - values[0]) / (values[-1] - values[0]) * (right - left), 1)

    texts = [f'{mean:+.2f} [{low:+.2f}, {high:+.2f}]' for _, mean, low, high in rows]
    return Forest(
        ident=ident,
        title=title,
        description=' '.join(f'{row[0]}: {text}.' for row, text in zip(rows, texts)),
        unit=unit,
        height=TOP + ROW * len(rows) + BOTTOM,
        zero=place(0.0),
        rows=tuple(
            Interval(label, text, TOP + ROW * i + 30, place(low), place(mean), place(high))
            for i, ((label, mean, low, high), text) in enumerate(zip(rows, texts))
        ),
        ticks=tuple(Tick(place(value), number(value)) for value in values),
    )


def ticks_between(low: float, high: float, *, most: int, whole: bool = False) -> list[float]:
    """Round numbers, evenly spaced, of which the first is at most ``low`` and the last at least ``high``.

    Args:
        low: finite.
        high: finite, at least ``low``.
        most: intervals between them, about.
        whole: steps of at least 1.
    """
    if low == high:
        room = abs(low) / 2 or 0.5
        low, high = low - room, high + room
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
    step = max(step, 1.0) if whole else step
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 12 - math.floor(math.log10(step))) for i in range(first, last + 1)]


def number(value: float) -> str:
    """A number in few letters, the minus sign its own."""
    return f'{value:.4g}'.replace('-', '\u2212')


def _path(points: Points, place: Callable[[float, float], tuple[float, float]]) -> str:
    """SVG path; a point between gaps is a line of no length, which round caps show as a dot."""
    parts, pen_down = [], False
    for i, (x, y) in enumerate(points):
        if not math.isfinite(y):
            pen_down = False
            continue
        across, down = place(x, y)
        parts.append(f'{"L" if pen_down else "M"}{across:g} {down:g}')
        if not pen_down and (i + 1 == len(points) or not math.isfinite(points[i + 1][1])):
            parts.append(f'L{across:g} {down:g}')
        pen_down = True
    return ''.join(parts)


def _in_words(label: str, finite: Sequence[tuple[float, float]], total: int, unit: str) -> str:
    (x0, y0), (x1, y1) = finite[0], finite[-1]
    text = f'{label}: {number(y0)} at {unit} {number(x0)}'
    if len(finite) > 1:
        low, high = min(y for _, y in finite), max(y for _, y in finite)
        text += f', {number(y1)} at {unit} {number(x1)}, between {number(low)} and {number(high)}'
    if total > len(finite):
        text += f', not finite at {total - len(finite)} of {total} places'
    return f'{text}.'
