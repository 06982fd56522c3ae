"""(canvas, area, ground) -> a scene of buildings or sports, drawn, and its `Part`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from . import fields, objects
from .canvas import Canvas, Frame
from .companions import ROOFS, pick
from .kinds_transport import number
from .palette import shade
from .site import Area, Part, cells
from .vocabulary import Thing


def storage_tanks(c: Canvas, a: Area, ground: str) -> Part:
    """Tanks of one colour and size in a grid."""
    count, colour = number(c), pick(c, ('white', 'grey', 'red', 'blue', 'green', 'brown'), ground)
    places, width = cells(count, a.hw * 0.97, a.hh * 0.97)
    radius = min(width * 0.4, 92)
    if count < 7 and radius > 44 and c.rng.random() < 0.4:
        radius = 27.0
    size = 'large' if radius > 58 else 'small' if radius < 31 else None
    for x, y in places:
        objects.tank(c, a.frame.sub(x, y), radius, colour)
    return Part(Thing('tank', count, colour, size))


def _plots(c: Canvas, a: Area, count: int, roof: str, fill: float) -> None:
    places, width = cells(count, a.hw * 0.97, a.hh * 0.97, 1.25)
    gabled = c.rng.random() < 0.8
    for x, y in places:
        turn = c.rng.normal(0, 0.03) + (np.pi / 2 if count < 5 and c.rng.random() < 0.3 else 0)
        f = a.frame.sub(x, y, turn)
        w, h = min(width * fill, 120), min(width * fill, 120) / 1.5
        objects.building(c, f, w, h, roof, 'house', height=min(18.0, 0.3 * w), gabled=gabled)
        if w > 44 and c.rng.random() < 0.5:  # a wing
            wing = f.sub(c.rng.choice((-0.25, 0.25)) * w, 0.42 * h, np.pi / 2)
            objects.building(c, wing, 0.62 * h, 0.36 * w, roof, key='', height=0.2 * w, gabled=gabled)


def dense_residential(c: Canvas, a: Area, ground: str) -> Part:
    """Rows of equal houses with streets, and sometimes trees, between them."""
    rows = 3 if a.hh > 110 else 2
    columns = int(a.hw * 2 / (2 * a.hh / rows) * 1.5)
    roof = pick(c, ROOFS, ground)
    pitch, step = 2 * a.hh / rows, 2 * a.hw / columns
    for row in range(1, rows):
        y = (row - rows / 2) * pitch
        objects.road(c, a.frame.at([(a.x0, y), (a.x1, y)]), 15, marked=False)
    green, tone = bool(c.rng.integers(2)), 'green'
    for row in range(rows):
        for column in range(columns):
            x, y = (column - (columns - 1) / 2) * step, (row - (rows - 1) / 2) * pitch
            w, h = step * c.rng.uniform(0.74, 0.86), pitch * c.rng.uniform(0.48, 0.6)
            objects.building(c, a.frame.sub(x, y), w, h, roof, 'house', height=14)
        if green:
            y = (row - (rows - 1) / 2 + 0.36) * pitch
            objects.scatter_trees(c, a.frame, -a.hw, y - 4, a.hw, y + 4, 14, (6, 10), tone)
    details = (Thing('tree', 14 * rows, 'green', relation='with'),) if green else ()
    words = ('in two rows', 'in three rows')[rows - 2]
    return Part(Thing('house', rows * columns, roof, roof=True, suffix=words), details)


def houses(c: Canvas, a: Area, ground: str) -> Part:
    """A few houses, sometimes among trees."""
    count, roof = number(c, several=8, many=0), pick(c, ROOFS, ground)
    tone = 'orange' if c.rng.random() < 0.4 else 'green'
    many = int(c.rng.choice((0, 16, 26)))
    objects.scatter_trees(c, a.frame, -a.hw, -a.hh, a.hw, a.hh, many, (8, 13), tone)
    _plots(c, a, count, roof, 0.6)
    details = (Thing('tree', many, tone, relation='with'),) if many else ()
    return Part(Thing('house', count, roof, roof=True), details)


def industrial(c: Canvas, a: Area, ground: str) -> Part:
    """Long halls side by side on concrete."""
    count = number(c, most=6, several=7, many=0)
    roof = pick(c, ('blue', 'white', 'red', 'grey', 'green', 'brown'), 'concrete')
    key = 'factory' if c.rng.random() < 0.6 else 'warehouse'
    c.surface('concrete', a.frame.box(-a.hw, -a.hh, a.hw, a.hh))
    pitch = 2 * a.hh / count
    for i in range(count):
        y = (i - (count - 1) / 2) * pitch
        width, depth = 1.75 * a.hw * c.rng.uniform(0.86, 1), min(pitch * 0.7, 84)
        f = a.frame.sub(0, y)
        objects.building(c, f, width, depth, roof, key, height=min(20, pitch * 0.3), gabled=key == 'factory')
        if key == 'factory':
            for x in np.linspace(-0.4, 0.4, 6) * width:
                c.poly(f.sub(x, 0).rect(10, depth * 0.3), shade(c.colour(roof), 1.35))
    return Part(Thing(key, count, roof, 'long' if count < 5 else None, roof=True))


def school(c: Canvas, a: Area, ground: str) -> Part:
    """Teaching buildings beside a running track."""
    count, roof = number(c, most=4, several=0, many=0), pick(c, ROOFS, ground)
    lane = pick(c, ('red', 'blue', 'green', 'orange'), ground)
    split = 0.05 * a.hw
    width = min(a.hw * 0.98 - split, 2 * a.hh / 0.6)
    fields.track(c, a.frame.sub(split + (a.hw - split) / 2, 0), min(width, 1.7 * a.hh / 0.56), lane)
    pitch = 1.94 * a.hh / count
    for i in range(count):
        f = a.frame.sub(-a.hw * 0.5, (i - (count - 1) / 2) * pitch)
        long, deep = 0.86 * a.hw, min(pitch * 0.5, 52)
        objects.building(c, f, long, deep, roof, 'school', height=20, gabled=False)
        if pitch > 90:
            wing = f.sub(-0.36 * long, deep * 0.75, np.pi / 2)
            objects.building(c, wing, min(pitch * 0.36, 50), 0.22 * long, roof, '', height=20, gabled=False)
    return Part(Thing('school', count, roof, roof=True), (Thing('track', 1, lane, relation='beside'),))


def church(c: Canvas, a: Area, ground: str) -> Part:
    """A cruciform church with a white tower, sometimes lined by trees."""
    roof, tower = pick(c, ('red', 'blue', 'grey', 'brown', 'white'), ground), 'white'
    length = min(1.55 * a.hw, 1.7 * a.hh, 230)
    f, nave = a.frame.sub(c.rng.uniform(-0.25, 0.25) * a.hw, 0), 0.3 * length
    c.poly(f.rect(1.12 * length, 0.8 * length), (196, 192, 182))
    objects.building(c, f.sub(0.1 * length, 0, np.pi / 2), 0.66 * length, 0.8 * nave, roof, '', height=30, gabled=True)
    objects.building(c, f, length, nave, roof, 'church', height=30, gabled=True)
    base = f.sub(-0.42 * length, 0)
    c.shadow([base.rect(0.2 * length, 0.2 * length)], 64)
    paint = c.colour(tower)
    corners = base.rect(0.22 * length, 0.22 * length)
    for i in range(4):
        c.poly([corners[i], corners[(i + 1) % 4], base.at((0, 0))], shade(paint, (1.1, 0.95, 0.74, 0.86)[i]))
    c.line(base.at([(-9, 0), (9, 0)]), (226, 190, 70), 3)
    c.line(base.at([(0, -9), (0, 9)]), (226, 190, 70), 3)
    many = int(c.rng.choice((0, 12)))
    tone = 'orange' if c.rng.random() < 0.4 else 'green'
    edge = np.linspace(-0.5, 0.5, 6)[None].repeat(2, 0).ravel() * length
    at = f.at(np.stack([edge, np.repeat((-0.44, 0.44), 6) * length], -1))
    details = []
    if many:
        objects.trees(c, at, c.rng.uniform(9, 13, 12), tone)
        details.append(Thing('tree', many, tone, relation='with'))
    return Part(Thing('church', 1, roof, roof=True), tuple(details))


def stadium(c: Canvas, a: Area, ground: str) -> Part:
    """One oval stadium."""
    colour = pick(c, ('white', 'grey', 'red', 'blue', 'orange', 'yellow'), ground)
    width = min(1.9 * a.hw, 1.9 * a.hh / 0.8)
    small = c.rng.random() < 0.4
    f = a.frame.sub(c.rng.uniform(-0.3, 0.3) * (a.hw - width / 2), 0)
    fields.stadium(c, f, width * (0.62 if small else 0.94), colour)
    return Part(Thing('stadium', 1, colour, 'small' if small else 'large'))


def solar_farm(c: Canvas, a: Area, ground: str) -> Part:
    """Rows of blue or black solar panels."""
    rows, colour = number(c, several=8, many=11), pick(c, ('blue', 'black'))
    pitch = min(2 * a.hh / rows, 70)
    for i in range(rows):
        y = (i - (rows - 1) / 2) * pitch
        f, deep = a.frame.sub(0, y), pitch * 0.56
        outline = f.rect(1.84 * a.hw, deep)
        c.shadow([outline], 6)
        paint = c.colour(colour)
        c.poly(outline, paint)
        for x in np.arange(-0.92 * a.hw + 14, 0.92 * a.hw, 14):
            c.line(f.at([(x, -deep / 2), (x, deep / 2)]), shade(paint, 1.35), 1)
        c.line(f.at([(-0.92 * a.hw, 0), (0.92 * a.hw, 0)]), shade(paint, 1.35), 1)
        c.line(outline, (206, 212, 218), 1, closed=True)
        c.record('panel', colour, outline)
    return Part(Thing('panel', rows, colour))


def _courts(
    draw: Callable[[Canvas, Frame, float, str], None],
    key: str,
    aspect: float,
    colours: tuple[str, ...],
    most: int,
    widest: float,
) -> Callable[[Canvas, Area, str], Part]:
    def kind(c: Canvas, a: Area, ground: str) -> Part:
        count, colour = number(c, most=most, several=8 if most == 6 else 0, many=0), pick(c, colours, ground)
        places, width = cells(count, a.hw * 0.97, a.hh * 0.97, aspect)
        for x, y in places:
            draw(c, a.frame.sub(x, y, np.pi * c.rng.integers(2)), min(width * 0.86, widest), colour)
        return Part(Thing(key, count, colour))

    return kind


tennis_courts = _courts(fields.tennis, 'tennis court', 1 / 0.52, ('blue', 'green', 'red', 'orange'), 6, 190)
basketball_courts = _courts(fields.basketball, 'basketball court', 1 / 0.56, ('blue', 'green', 'red', 'orange'), 6, 190)
baseball_fields = _courts(fields.baseball, 'baseball field', 0.72, ('brown', 'orange', 'red'), 4, 250)
football_fields = _courts(fields.football, 'football field', 1 / 0.64, ('green',), 4, 300)


def playground(c: Canvas, a: Area, ground: str) -> Part:
    """A running track around a football field."""
    lane = pick(c, ('red', 'blue', 'orange', 'grey', 'brown'), ground)
    width = min(1.9 * a.hw, 1.9 * a.hh / 0.56)
    small = c.rng.random() < 0.4
    fields.track(c, a.frame, width * (0.66 if small else 1), lane)
    return Part(
        Thing('track', 1, lane, 'small' if small else 'large'),
        (Thing('football field', 1, 'green', relation='circling'),),
    )
