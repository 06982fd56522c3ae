"""(canvas, strip, ground) -> a secondary element, drawn, and the `Thing` that captions may name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from . import fields, objects
from .canvas import Canvas
from .palette import GROUND_COLOUR
from .site import Area
from .vocabulary import Thing

ROOFS = ('red', 'blue', 'white', 'grey', 'brown', 'orange')
CARS = ('white', 'red', 'blue', 'black', 'yellow')


def pick(c: Canvas, names: Sequence[str], ground: str = '') -> str:
    """One of the colour names, not that of the ground if there is another."""
    return str(c.rng.choice([name for name in names if name != GROUND_COLOUR.get(ground)] or names))


def wave(c: Canvas, x0: float, x1: float, swing: float) -> tuple[np.ndarray, np.ndarray]:
    """Points: x (60,) and a smooth random offset (60,) of at most about ``swing``."""
    x = np.linspace(x0, x1, 60)
    first, second = c.rng.uniform(0, 2 * np.pi, 2)
    return x, swing * (0.65 * np.sin(x / c.rng.uniform(90, 150) + first) + 0.35 * np.sin(x / 48 + second))


def blob(c: Canvas, rx: float, ry: float) -> np.ndarray:
    """A rounded irregular outline (50, 2) in local units."""
    angle = np.linspace(0, 2 * np.pi, 50, endpoint=False)
    first, second = c.rng.uniform(0, 2 * np.pi, 2)
    radius = 0.88 + 0.08 * np.sin(2 * angle + first) + 0.05 * np.sin(3 * angle + second)
    return np.stack([rx * radius * np.cos(angle), ry * radius * np.sin(angle)], -1)


def _slots(c: Canvas, a: Area, count: int, width: float) -> np.ndarray:
    """Places x of ``count`` neighbours ``width`` apart, the group at a random place in the strip."""
    span = (count - 1) * width
    room = max(0.0, a.hw - span / 2 - width / 2)
    return c.rng.uniform(-room, room) + np.arange(count) * width - span / 2


def road(c: Canvas, a: Area, ground: str) -> Thing:
    """A straight road from edge to edge: narrow and plain, or wide with lanes and traffic."""
    size = 'wide' if c.rng.random() < 0.5 else 'narrow'
    ends = a.frame.at([(a.x0, 0), (a.x1, 0)])
    if size == 'narrow':
        objects.road(c, ends, 18, marked=False)
        return Thing('road', 1, size=size)
    objects.road(c, ends, 54, marked=False)
    for y in (-13, 13):
        c.dashes(a.frame, a.x0, a.x1, y, objects.PAINT, 2.5)
    c.line(ends, (206, 180, 70), 3)
    lanes = (-20, -7, 7, 20)
    spots = [(x, lanes[c.rng.integers(4)]) for x in np.arange(-a.hw + 20, a.hw - 20, 64) if c.rng.random() < 0.5]
    objects.cars(
        c, [a.frame.sub(x, y, np.pi * (y < 0)) for x, y in spots], [str(c.rng.choice(CARS)) for _ in spots], 22, key=''
    ) if spots else None
    return Thing('road', 1, size=size)


def dirt_road(c: Canvas, a: Area, ground: str) -> Thing:
    """A pale winding track from edge to edge."""
    x, y = wave(c, a.x0, a.x1, 5)
    objects.road(c, a.frame.at(np.stack([x, y], -1)), 24, dirt=True)
    return Thing('dirt road', 1)


def river(c: Canvas, a: Area, ground: str) -> Thing:
    """A winding river from edge to edge, of the named colour."""
    colour = pick(c, ('blue', 'green', 'brown'), ground)
    x, y = wave(c, a.x0, a.x1, 14)
    bank = np.concatenate([np.stack([x, y - 36], -1), np.stack([x, 0.8 * y + 42], -1)[::-1]])
    objects.water(c, a.frame.at(bank), colour)
    return Thing('river', 1, colour)


def railway(c: Canvas, a: Area, ground: str) -> Thing:
    """Two parallel tracks on ballast."""
    c.textured('soil', ((110, 100, 94), (140, 130, 122), (160, 150, 142)), a.frame.box(a.x0, -25, a.x1, 25))
    for y in (-13, 13):
        for x in np.arange(a.x0, a.x1, 9):
            c.poly(a.frame.box(x, y - 9, x + 3.5, y + 9), (86, 74, 66))
        for rail in (-5, 5):
            c.line(a.frame.at([(a.x0, y + rail), (a.x1, y + rail)]), (206, 206, 210), 2)
    return Thing('railway', 1)


def forest(c: Canvas, a: Area, ground: str) -> Thing:
    """Closed canopy out to the edge of the picture, green or autumn orange."""
    tone = 'orange' if c.rng.random() < 0.3 else 'green'
    objects.woods(c, a.frame, a.x0, -0.4 * a.hh, a.x1, a.y1, tone)
    return Thing('forest', 1, tone)


def tree_row(c: Canvas, a: Area, ground: str) -> Thing:
    """One or two straight rows of trees."""
    rows = int(c.rng.integers(1, 3))
    tone = 'orange' if c.rng.random() < 0.25 else 'green'
    for y in ((0,), (-14, 16))[rows - 1]:
        x = np.arange(a.x0, a.x1, 27)
        at = a.frame.at(np.stack([x, np.full(len(x), float(y))], -1))
        objects.trees(c, at, c.rng.uniform(10, 13, len(x)), tone, '')
    return Thing('tree row', rows, tone)


def pond(c: Canvas, a: Area, ground: str) -> Thing:
    """One rounded pond."""
    colour = pick(c, ('blue', 'green'), ground)
    f = a.frame.sub(c.rng.uniform(-0.4, 0.4) * a.hw, 0)
    outline = f.at(blob(c, c.rng.uniform(70, 105), 0.82 * a.hh))
    objects.water(c, outline, colour)
    c.record('pond', colour, outline)
    return Thing('pond', 1, colour)


def pool(c: Canvas, a: Area, ground: str) -> Thing:
    """One swimming pool with its deck."""
    f = a.frame.sub(c.rng.uniform(-0.5, 0.5) * a.hw, 0)
    c.poly(f.rect(124, 74), (226, 222, 214))
    c.poly(f.rect(104, 54), (52, 168, 206))
    for y in (-18, -9, 0, 9, 18):
        c.line(f.at([(-50, y), (50, y)]), (150, 214, 232), 1)
    c.record('pool', '', f.rect(104, 54))
    return Thing('pool', 1, None)


def buildings(c: Canvas, a: Area, ground: str) -> Thing:
    """One large building or up to five equal ones side by side."""
    count, colour = int(c.rng.integers(1, 6)), pick(c, ROOFS, ground)
    width, depth = (130 if count == 1 else min(92, 1.7 * a.hw / count)), 0.62 * a.hh * 2
    gabled = bool(c.rng.integers(2))
    for x in _slots(c, a, count, width):
        objects.building(c, a.frame.sub(x, 0), width * 0.8, depth, colour, height=c.rng.uniform(18, 30), gabled=gabled)
    return Thing('building', count, colour, 'large' if count == 1 else None, roof=True)


def car_park(c: Canvas, a: Area, ground: str) -> Thing:
    """Two rows of cars of one colour on asphalt."""
    colour = pick(c, CARS)
    c.surface('asphalt', a.frame.box(-a.hw, -0.8 * a.hh, a.hw, 0.8 * a.hh))
    slots = np.arange(-a.hw + 14, a.hw - 6, 20)
    for x in slots - 10:
        c.line(a.frame.at([(x, -0.7 * a.hh), (x, 0.7 * a.hh)]), (206, 206, 206), 1)
    taken = [(x, y) for y in (-0.42 * a.hh, 0.42 * a.hh) for x in slots if c.rng.random() < 0.8]
    objects.cars(c, [a.frame.sub(x, y, np.pi / 2) for x, y in taken], [colour] * len(taken), 27)
    return Thing('parking lot', 1, None, suffix=f'with {colour} cars')


def farmland(c: Canvas, a: Area, ground: str) -> Thing:
    """One furrowed field out to the edge of the picture."""
    colour = pick(c, ('green', 'yellow', 'brown'), ground)
    objects.furrows(c, a.frame, a.x0, -0.8 * a.hh, a.x1, a.y1, colour)
    return Thing('farmland', 1, colour)


def bare_land(c: Canvas, a: Area, ground: str) -> Thing:
    """Brown bare land out to the edge of the picture."""
    x, y = wave(c, a.x0, a.x1, 8)
    edge = np.stack([x, y - 0.75 * a.hh], -1)
    c.surface('soil', a.frame.at(np.concatenate([edge, [(a.x1, a.y1), (a.x0, a.y1)]])))
    return Thing('bare land', None, 'brown')


def lawn(c: Canvas, a: Area, ground: str) -> Thing:
    """Grass out to the edge of the picture."""
    c.surface('grass', a.frame.box(a.x0, -0.8 * a.hh, a.x1, a.y1))
    return Thing('lawn', 1, 'green')


def tanks(c: Canvas, a: Area, ground: str) -> Thing:
    """One to four storage tanks in a row."""
    count, colour = int(c.rng.integers(1, 5)), pick(c, ('white', 'grey', 'red', 'blue', 'green'), ground)
    radius = min(40.0, 0.7 * a.hh, 0.84 * a.hw / count)
    for x in _slots(c, a, count, radius * 2.3):
        objects.tank(c, a.frame.sub(x, 0), radius, colour)
    return Thing('tank', count, colour)


def tennis(c: Canvas, a: Area, ground: str) -> Thing:
    """One to four tennis courts in a row."""
    count, colour = int(c.rng.integers(1, 5)), pick(c, ('blue', 'green', 'red', 'orange'), ground)
    width = min(1.85 * a.hw / count, 78)
    for x in _slots(c, a, count, width):
        fields.tennis(c, a.frame.sub(x, 0, np.pi / 2), min(1.6 * a.hh, width * 1.75), colour)
    return Thing('tennis court', count, colour)


def basketball(c: Canvas, a: Area, ground: str) -> Thing:
    """One to three basketball courts in a row."""
    count, colour = int(c.rng.integers(1, 4)), pick(c, ('blue', 'green', 'red', 'orange'), ground)
    width = min(1.85 * a.hw / count, 84)
    for x in _slots(c, a, count, width):
        fields.basketball(c, a.frame.sub(x, 0, np.pi / 2), min(1.6 * a.hh, width * 1.55), colour)
    return Thing('basketball court', count, colour)


def containers(c: Canvas, a: Area, ground: str) -> Thing:
    """Stacks of containers of one colour on concrete."""
    colour = pick(c, ('red', 'blue', 'orange', 'green'), ground)
    c.surface('concrete', a.frame.box(-a.hw, -0.85 * a.hh, a.hw, 0.85 * a.hh))
    for x in np.arange(-a.hw + 34, a.hw - 26, 58):
        for y in np.arange(-0.6 * a.hh, 0.7 * a.hh, 22):
            objects.building(c, a.frame.sub(x, y), 50, 16, colour, 'container', height=9, gabled=False, units=False)
    return Thing('container', 10, colour)


@dataclass(frozen=True)
class Companion:
    """A drawing function, the strip's thickness in canvas pixels, and whether it must run from edge to edge."""

    draw: Callable[[Canvas, Area, str], Thing]
    thickness: float
    through: bool = False


COMPANIONS: dict[str, Companion] = {
    'road': Companion(road, 74, True),
    'dirt road': Companion(dirt_road, 46, True),
    'river': Companion(river, 112, True),
    'railway': Companion(railway, 70, True),
    'forest': Companion(forest, 104),
    'tree row': Companion(tree_row, 66),
    'pond': Companion(pond, 136),
    'pool': Companion(pool, 100),
    'building': Companion(buildings, 112),
    'parking lot': Companion(car_park, 104),
    'farmland': Companion(farmland, 112),
    'bare land': Companion(bare_land, 104),
    'lawn': Companion(lawn, 104),
    'tank': Companion(tanks, 104),
    'tennis court': Companion(tennis, 112),
    'basketball court': Companion(basketball, 112),
    'container': Companion(containers, 100),
}
