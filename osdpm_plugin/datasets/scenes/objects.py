"""(canvas, frame, size, colour name) -> one object, drawn and recorded: planes, ships, vehicles, tanks, buildings,
trees.

Lengths are canvas pixels (512 a side). Local +x is an object's heading. Each function records the object.
"""

from __future__ import annotations

from typing import Optional

import numpy as np
from numpy.typing import ArrayLike

from .canvas import Canvas, Frame
from .palette import Colour, shade

DARK_GLASS = (52, 60, 72)
PAINT = (240, 240, 236)


def _mirror(points: ArrayLike) -> np.ndarray:
    return np.asarray(points, float) * (1, -1)


def plane(c: Canvas, f: Frame, length: float, colour: str) -> None:
    """An airliner: swept wings, tail, engines, and a shadow on the ground."""
    paint = c.colour(colour)
    wing = np.array([(0.14, 0.03), (-0.16, 0.46), (-0.25, 0.46), (-0.1, 0.03)]) * length
    tail = np.array([(-0.36, 0.02), (-0.48, 0.18), (-0.54, 0.18), (-0.47, 0.02)]) * length
    along = np.linspace(-0.5, 0.5, 15)
    half = 0.062 * np.clip(1 - np.abs(along / 0.5) ** 5, 0, 1) * np.where(along < -0.25, 1 + (along + 0.25) * 2.8, 1)
    body = np.concatenate([np.stack([along, half], -1), np.stack([along, -half], -1)[::-1]]) * length
    parts = [f.at(p) for p in (wing, _mirror(wing), tail, _mirror(tail), body)]
    c.drop(parts, 0.1 * length)
    for part in parts[:4]:
        c.poly(part, shade(paint, 0.9))
    for side in (-1, 1):
        engine = f.sub(0.06 * length, side * 0.2 * length)
        c.poly(engine.rect(0.13 * length, 0.055 * length), shade(paint, 0.62))
    c.poly(parts[4], shade(paint, 1.06))
    c.line(f.at([(-0.5 * length, 0), (-0.36 * length, 0)]), shade(paint, 0.55), 0.025 * length)
    c.poly(f.sub(0.43 * length, 0).rect(0.035 * length, 0.06 * length), DARK_GLASS)
    c.record('plane', colour, np.concatenate(parts))


def ship(c: Canvas, f: Frame, length: float, colour: str, key: str = 'ship') -> None:
    """A moored vessel: pointed hull, hatches, bridge at the stern."""
    paint, wide = c.colour(colour), 0.26 * length if length < 70 else 0.21 * length
    hull = np.array(
        [
            (-0.5, -0.42),
            (-0.46, -0.5),
            (0.24, -0.5),
            (0.42, -0.26),
            (0.5, 0),
            (0.42, 0.26),
            (0.24, 0.5),
            (-0.46, 0.5),
            (-0.5, 0.42),
        ]
    ) * (length, wide)
    outline = f.at(hull)
    c.drop([outline], 0.06 * length)
    c.poly(outline, shade(paint, 0.8))
    c.poly(f.at(hull * (0.93, 0.8)), shade(paint, 1.08))
    hatch = shade(paint, 0.72)
    for x in (-0.12, 0.06, 0.24):
        c.poly(f.sub(x * length, 0).rect(0.12 * length, 0.42 * wide), hatch)
    bridge = f.sub(-0.34 * length, 0)
    c.shadow([bridge.rect(0.13 * length, 0.7 * wide)], 0.08 * length)
    c.poly(bridge.rect(0.13 * length, 0.7 * wide), PAINT if colour not in ('white', 'grey') else (118, 124, 132))
    c.record(key, colour, outline)


def cars(c: Canvas, frames: list[Frame], colours: list[str], length: float = 25.0, key: str = 'car') -> None:
    """Cars of one size; drawn together for speed, since a car park holds a hundred."""
    wide = 0.5 * length
    bodies = [f.rect(length, wide) for f in frames]
    c.shadow(bodies, 0.2 * length)
    for f, body, colour in zip(frames, bodies, colours):
        paint = c.colour(colour)
        c.poly(body, paint)
        glass = (150, 160, 170) if colour == 'black' else DARK_GLASS
        c.poly(f.box(0.12 * length, -0.38 * wide, 0.26 * length, 0.38 * wide), glass)
        c.poly(f.box(-0.36 * length, -0.36 * wide, -0.27 * length, 0.36 * wide), glass)
        c.record(key, colour, body)


def tank(c: Canvas, f: Frame, radius: float, colour: str) -> None:
    """A storage tank: long shadow, bright rim, a shallow cone lit from the sun's side."""
    paint, ring = c.colour(colour), f.oval(radius, radius)
    c.disc((f.x, f.y), radius * 1.16, (150, 140, 126), max(2, 0.05 * radius))
    c.shadow([ring], radius * 0.7)
    c.disc((f.x, f.y), radius, shade(paint, 0.74))
    c.disc((f.x, f.y), radius * 0.93, paint)
    toward = -c.sun / np.linalg.norm(c.sun)
    half = np.arctan2(toward[1], toward[0]) + np.linspace(-np.pi / 2, np.pi / 2, 20)
    c.poly(np.stack([f.x + 0.93 * radius * np.cos(half), f.y + 0.93 * radius * np.sin(half)], -1), shade(paint, 1.12))
    for spoke in np.linspace(0, np.pi, 5)[:-1]:
        tip = 0.9 * radius * np.array([np.cos(spoke), np.sin(spoke)])
        c.line(f.at([tip, -tip]), shade(paint, 0.86), 1)
    c.disc((f.x, f.y), radius * 0.12, shade(paint, 0.6))
    c.record('tank', colour, ring)


def building(
    c: Canvas,
    f: Frame,
    width: float,
    depth: float,
    colour: str,
    key: str = 'building',
    *,
    height: float = 24.0,
    gabled: Optional[bool] = None,
    units: bool = True,
) -> None:
    """A building from above: a gabled roof of two lit planes, or a flat one with parapet and air conditioners."""
    rng, paint, outline = c.rng, c.colour(colour), f.rect(width, depth)
    c.shadow([outline], height)
    gabled = rng.random() < 0.5 if gabled is None else gabled
    if gabled:
        lit = float(np.dot(f.at((0, -1)) - f.at((0, 0)), -c.sun))
        c.poly(f.box(-width / 2, -depth / 2, width / 2, 0), shade(paint, 1 + 0.16 * np.clip(lit, -1, 1)))
        c.poly(f.box(-width / 2, 0, width / 2, depth / 2), shade(paint, 1 - 0.16 * np.clip(lit, -1, 1)))
        c.line(f.at([(-width / 2, 0), (width / 2, 0)]), shade(paint, 1.25), 2)
        for x in np.arange(-width / 2 + 10, width / 2, 12) if width > 60 else ():
            c.line(f.at([(x, -depth / 2), (x, depth / 2)]), shade(paint, 0.9), 1)
    else:
        c.poly(outline, shade(paint, 0.82))
        c.poly(f.rect(width - 6, depth - 6), paint)
        c.line(outline, shade(paint, 1.2), 2, closed=True)
        for _ in range(int(width * depth / 1600) + 1 if units else 0):
            unit = f.sub(rng.uniform(-0.36, 0.36) * width, rng.uniform(-0.32, 0.32) * depth).rect(8, 6)
            c.shadow([unit], 4)
            c.poly(unit, (196, 198, 200) if colour != 'white' else (150, 154, 158))
    c.record(key, colour, outline)


def trees(c: Canvas, points: ArrayLike, radii: ArrayLike, tone: str = 'green', key: str = 'tree') -> None:
    """Round crowns at canvas points (n, 2): shadow, dark rim, two highlights towards the sun."""
    points = np.asarray(points, float).reshape(-1, 2)
    radii = np.broadcast_to(np.asarray(radii, float), len(points))
    base: Colour = {'green': (44, 78, 34), 'orange': (176, 100, 36)}[tone]
    around = np.stack([(np.cos(a), np.sin(a)) for a in np.linspace(0, 2 * np.pi, 10, endpoint=False)])
    c.drop([p + r * around for p, r in zip(points, radii)], 14)
    for (x, y), r in zip(points, radii):
        tint = c.rng.uniform(0.82, 1.15)
        for scale, lift, light in ((1.0, 0.0, 0.8), (0.76, 0.2, 1.06), (0.4, 0.42, 1.24)):
            at = (x - c.sun[0] * lift * r, y - c.sun[1] * lift * r)
            c.disc(at, r * scale, tuple(min(255, int(v * light * tint)) for v in base))
        c.record(key, tone, [(x - r, y - r), (x + r, y + r)])


def scatter_trees(
    c: Canvas,
    f: Frame,
    x0: float,
    y0: float,
    x1: float,
    y1: float,
    count: int,
    size: tuple[float, float] = (9, 15),
    tone: str = 'green',
    key: str = 'tree',
) -> None:
    """``count`` trees at random places of a local rectangle."""
    local = c.rng.uniform((x0, y0), (x1, y1), (count, 2))
    trees(c, f.at(local), c.rng.uniform(*size, count), tone, key)


def woods(c: Canvas, f: Frame, x0: float, y0: float, x1: float, y1: float, tone: str = 'green') -> None:
    """Closed canopy over a local rectangle, with single crowns fraying its edges."""
    corners = f.box(x0, y0, x1, y1)
    c.shadow([corners], 10)
    c.surface('canopy' if tone == 'green' else 'autumn', corners)
    border = []
    for (ax, ay), (bx, by) in zip(((x0, y0), (x1, y0), (x1, y1), (x0, y1)), ((x1, y0), (x1, y1), (x0, y1), (x0, y0))):
        steps = max(2, int(np.hypot(bx - ax, by - ay) / 24))
        border += [(ax + (bx - ax) * t, ay + (by - ay) * t) for t in np.linspace(0, 1, steps)]
    at = f.at(np.asarray(border) + c.rng.uniform(-4, 4, (len(border), 2)))
    at = at[(at > -20).all(1) & (at < 532).all(1)]
    trees(c, at, c.rng.uniform(8, 13, len(at)), tone, key='')


def road(c: Canvas, points: ArrayLike, width: float, *, marked: bool = True, dirt: bool = False) -> None:
    """A road along canvas points (n, 2); the marking is a dashed centre line."""
    points = np.asarray(points, float)
    if dirt:
        c.line(points, (196, 166, 126), width)
        c.line(points, (180, 148, 108), width * 0.3)
        return
    c.line(points, (188, 186, 180), width + 6)
    c.line(points, (92, 94, 99), width)
    if marked and width > 20:
        steps = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
        marks = np.arange(0, steps[-1], 26)
        ends = [np.stack([np.interp(at, steps, points[:, i]) for i in (0, 1)], -1) for at in (marks, marks + 13)]
        for a, b in zip(*ends):
            c.line([a, b], PAINT, 2)


def water(c: Canvas, outline: np.ndarray, colour: str) -> None:
    """A body of water with a pale shore; ``colour`` is blue, green or brown."""
    c.line(outline, (186, 170, 132), 12, closed=True)
    c.surface(f'{colour} water', outline)
    c.line(outline, (150, 160, 140), 2, closed=True)


def furrows(c: Canvas, f: Frame, x0: float, y0: float, x1: float, y1: float, colour: str, step: float = 9.0) -> None:
    """A field of rows along local x; ``colour`` is green, yellow or brown."""
    c.surface(f'field {colour}', f.box(x0, y0, x1, y1))
    row = {'green': (62, 104, 40), 'yellow': (190, 158, 58), 'brown': (100, 70, 46)}[colour]
    for y in np.arange(y0 + step / 2, y1, step):
        c.line(f.at([(x0, y), (x1, y)]), row, 2)
