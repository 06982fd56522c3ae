"""(canvas, frame, size, colour name) -> one sports field with its markings, drawn and recorded."""

from __future__ import annotations

import numpy as np

from .canvas import Canvas, Frame
from .objects import PAINT
from .palette import shade


def _arc(radius: float, start: float, stop: float, x: float = 0, y: float = 0) -> np.ndarray:
    angle = np.linspace(start, stop, 24)
    return np.stack([x + radius * np.cos(angle), y + radius * np.sin(angle)], -1)


def football(c: Canvas, f: Frame, width: float, colour: str = 'green') -> None:
    """A pitch of ``width`` by 0.64 width, mown in stripes."""
    depth, paint = 0.64 * width, (66, 142, 62)
    c.poly(f.rect(width, depth), paint)
    for x in np.linspace(-width / 2, width / 2, 11)[:-1:2]:
        c.poly(f.box(x, -depth / 2, x + width / 10, depth / 2), shade(paint, 1.14))
    thick = max(2, width / 70)
    c.line(f.rect(0.93 * width, 0.88 * depth), PAINT, thick, closed=True)
    c.line(f.at([(0, -0.44 * depth), (0, 0.44 * depth)]), PAINT, thick)
    c.line(f.oval(0.09 * width, 0.09 * width, 24), PAINT, thick, closed=True)
    for side in (-1, 1):
        c.line(f.sub(side * 0.39 * width, 0).rect(0.15 * width, 0.44 * depth), PAINT, thick, closed=True)
    c.record('football field', colour, f.rect(width, depth))


def track(c: Canvas, f: Frame, width: float, colour: str) -> None:
    """A running track of ``width`` by 0.56 width around a pitch."""
    paint, depth = c.colour(colour), 0.56 * width

    def oval(grow: float) -> np.ndarray:
        r, half = depth / 2 + grow, (width - depth) / 2
        return f.at(np.concatenate([_arc(r, -np.pi / 2, np.pi / 2, half), _arc(r, np.pi / 2, 3 * np.pi / 2, -half)]))

    lane = 0.085 * width
    c.poly(oval(0), paint)
    for i in range(1, 4):
        c.line(oval(-lane * i / 4), PAINT, 1, closed=True)
    c.poly(oval(-lane), (92, 142, 66))
    c.line(oval(-lane), PAINT, 2, closed=True)
    c.record('track', colour, oval(0))
    football(c, f, 0.56 * width)


def tennis(c: Canvas, f: Frame, width: float, colour: str) -> None:
    """A court of ``width`` by 0.5 width: coloured, with singles lines and a net."""
    paint, depth = c.colour(colour), 0.52 * width
    c.poly(f.rect(width, depth), shade(paint, 0.84))
    c.poly(f.rect(0.8 * width, 0.74 * depth), shade(paint, 1.1))
    thick = max(2, width / 50)
    c.line(f.rect(0.8 * width, 0.74 * depth), PAINT, thick, closed=True)
    for y in (-0.27 * depth, 0.27 * depth):
        c.line(f.at([(-0.4 * width, y), (0.4 * width, y)]), PAINT, thick)
    c.line(f.at([(-0.2 * width, 0), (0.2 * width, 0)]), PAINT, thick)
    c.line(f.at([(0, -0.44 * depth), (0, 0.44 * depth)]), (34, 36, 40), thick + 1)
    c.record('tennis court', colour, f.rect(width, depth))


def basketball(c: Canvas, f: Frame, width: float, colour: str) -> None:
    """A court of ``width`` by 0.56 width: keys, three-point arcs, centre circle."""
    paint, depth = c.colour(colour), 0.56 * width
    thick = max(2, width / 50)
    c.poly(f.rect(width, depth), paint)
    c.line(f.rect(0.92 * width, 0.88 * depth), PAINT, thick, closed=True)
    c.line(f.at([(0, -0.44 * depth), (0, 0.44 * depth)]), PAINT, thick)
    c.line(f.oval(0.08 * width, 0.08 * width, 20), PAINT, thick, closed=True)
    for side in (-1, 1):
        key = f.sub(side * 0.37 * width, 0).rect(0.18 * width, 0.26 * depth)
        c.poly(key, shade(paint, 0.66))
        c.line(key, PAINT, thick, closed=True)
        arc = _arc(0.36 * depth, -np.pi / 2, np.pi / 2) * (-side, 1) + (side * 0.4 * width, 0)
        c.line(f.at(arc), PAINT, thick)
    c.record('basketball court', colour, f.rect(width, depth))


def baseball(c: Canvas, f: Frame, radius: float, colour: str) -> None:
    """A fan of mown grass of ``radius`` opening along +x, home plate at the tip, an infield of ``colour`` sand."""
    paint, tip = c.colour(colour), f.sub(-radius / 2, 0)
    fan = np.concatenate([[(0, 0)], _arc(radius, -np.pi / 4, np.pi / 4)])
    c.poly(tip.at(fan), (104, 168, 76))
    c.line(tip.at(fan), (170, 132, 92), max(3, radius / 22), closed=True)
    inner = np.concatenate([[(0, 0)], _arc(0.56 * radius, -np.pi / 4, np.pi / 4)])
    c.poly(tip.at(inner), paint)
    side = 0.3 * radius
    diamond = tip.sub(side * 0.75, 0, np.pi / 4)
    c.poly(diamond.rect(0.72 * side, 0.72 * side), (104, 168, 76))
    c.disc(diamond.at((0, 0)), 0.1 * side, shade(paint, 1.1))
    for end in (-1, 1):
        c.line(tip.at([(0, 0), (0.7 * radius, end * 0.7 * radius)]), PAINT, 2)
    c.disc(tip.at((0, 0)), 0.05 * radius, shade(paint, 0.9))
    c.record('baseball field', colour, tip.at(fan))


def stadium(c: Canvas, f: Frame, width: float, colour: str) -> None:
    """An oval arena of ``width`` by 0.8 width: a ring of coloured stands around a pitch."""
    paint, depth = c.colour(colour), 0.8 * width
    outline = f.oval(width / 2, depth / 2, 60)
    c.shadow([outline], 34)
    c.poly(outline, shade(paint, 0.72))
    for scale, light in ((0.96, 1.12), (0.86, 0.94), (0.79, 1.08), (0.71, 0.86)):
        c.poly(f.oval(scale * width / 2, scale * depth / 2, 60), shade(paint, light))
    for angle in np.linspace(0, 2 * np.pi, 28, endpoint=False):
        way = np.array([np.cos(angle) * width / 2, np.sin(angle) * depth / 2])
        c.line(f.at([way * 0.66, way * 0.97]), shade(paint, 0.66), 1)
    c.poly(f.oval(0.64 * width / 2, 0.64 * depth / 2, 60), (84, 136, 62))
    football(c, f, 0.46 * width)
    c.record('stadium', colour, outline)
