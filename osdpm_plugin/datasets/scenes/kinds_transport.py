"""(canvas, area, ground) -> a scene of transport, drawn, and its `Part`."""

from __future__ import annotations

import numpy as np

from . import objects
from .canvas import FAR, Canvas
from .companions import CARS, ROOFS, pick, wave
from .palette import jitter
from .site import Area, Part, cells
from .vocabulary import Thing

PLANES = ('white', 'white', 'blue', 'red', 'yellow', 'green')


def number(c: Canvas, *, most: int = 6, several: int = 8, many: int = 12) -> int:
    """A count to draw: 1..``most`` mostly, else ``several`` (7-9) or ``many`` (at least 10); 0 leaves a choice out."""
    options = [*range(1, most + 1), *([several] if several else []), *([many] if many else [])]
    return int(c.rng.choice(options))


def airport(c: Canvas, a: Area, ground: str) -> Part:
    """Planes on an apron, with a terminal, a runway or both."""
    top = -a.hh
    details = []
    c.surface('concrete', a.frame.box(a.x0, -a.hh * 0.97, a.x1, a.hh * 0.97))
    if c.rng.random() < 0.7:
        roof = pick(c, ('red', 'blue', 'white', 'brown'))
        f = a.frame.sub(0, top + 34)
        objects.building(c, f, 1.7 * a.hw, 50, roof, 'terminal', height=20, gabled=False)
        details.append(Thing('terminal', 1, roof, 'long', roof=True, relation='beside'))
        top += 66
    bottom = a.hh
    if c.rng.random() < 0.45 or not details:
        f = a.frame.sub(0, bottom - 32)
        c.surface('asphalt', f.box(a.x0, -27, a.x1, 27))
        c.dashes(f, a.x0, a.x1, 0, objects.PAINT, 4, 26, 18)
        for y in (-23, 23):
            c.line(f.at([(a.x0, y), (a.x1, y)]), objects.PAINT, 2)
        details.append(Thing('runway', 1, relation='beside'))
        bottom -= 64
    count, colour = number(c, several=8, many=12), pick(c, PLANES)
    middle, half = (top + bottom) / 2, (bottom - top) / 2
    places, width = cells(count, a.hw * 0.97, half * 0.97, 1.0)
    length = min(width * 0.92, 150)
    size = 'large' if length > 104 else 'small' if length < 62 else None
    if count < 7 and c.rng.random() < 0.35 and length > 80:
        length, size = 56.0, 'small'
    c.line(a.frame.at([(-a.hw, middle + half * 0.92), (a.hw, middle + half * 0.92)]), (212, 178, 62), 2)
    turn = float(c.rng.choice((-1, 1))) * np.pi / 2
    for across, along in places:
        objects.plane(c, a.frame.sub(across, middle + along, turn + c.rng.normal(0, 0.04)), length, colour)
    return Part(Thing('plane', count, colour, size), tuple(details))


def harbour(c: Canvas, a: Area, ground: str) -> Part:
    """Ships at piers that reach from a quay into the water."""
    water = pick(c, ('blue', 'green'))
    quay = -a.hh + 44
    c.surface(f'{water} water', a.frame.box(a.x0, quay, a.x1, a.y1))
    c.surface('concrete', a.frame.box(a.x0, max(a.y0, -a.hh), a.x1, quay))
    c.line(a.frame.at([(a.x0, quay), (a.x1, quay)]), (120, 116, 108), 4)
    count, colour = number(c), pick(c, ('white', 'white', 'red', 'orange', 'yellow', 'black'))
    piers = max(int(c.rng.integers(1, 4)), -(-count // 4))
    reach = 2 * a.hh - 60
    spots = []
    for x in (np.arange(piers) - (piers - 1) / 2) * (1.7 * a.hw / piers):
        pier = a.frame.box(x - 9, quay - 2, x + 9, quay + reach)
        c.drop([pier], 5)
        c.poly(pier, (176, 158, 128))
        for y in np.arange(quay, quay + reach, 9):
            c.line(a.frame.at([(x - 9, y), (x + 9, y)]), (150, 132, 104), 1)
        c.record('pier', '', pier)
        spots += [(x, -1), (x, 1)]
    per_side = -(-count // len(spots))
    room = reach / per_side
    length = float(min(room * 0.9, 130, 1.7 * a.hw / piers * 1.6))
    size = 'large' if length > 96 else 'small' if length < 52 else None
    lanes = [(x, side, i) for i in range(per_side) for x, side in spots][:count]
    for x, side, i in lanes:
        wide = 0.26 * length if length < 70 else 0.21 * length
        at = a.frame.sub(x + side * (13 + wide / 2), quay + 8 + room * (i + 0.5), np.pi / 2 * c.rng.choice((-1, 1)))
        objects.ship(c, at, length, colour)
    return Part(
        Thing('ship', count, colour, size),
        (Thing('water', None, water, relation='in'), Thing('pier', piers, None, relation='beside')),
    )


def parking(c: Canvas, a: Area, ground: str) -> Part:
    """One to four rows of cars, of one colour or mixed."""
    rows = int(c.rng.integers(1, 5))
    colours = list(CARS) if c.rng.random() < 0.25 else [pick(c, CARS)]
    pitch = 2 * a.hh / rows
    length = min(40.0, pitch * 0.55)
    c.surface('asphalt', a.frame.box(-a.hw, -a.hh * 0.98, a.hw, a.hh * 0.98))
    slots = np.arange(-a.hw + 20, a.hw - 12, length * 0.72)
    taken = []
    for row in range(rows):
        y = (row - (rows - 1) / 2) * pitch
        for x in slots - length * 0.36:
            c.line(a.frame.at([(x, y - length * 0.6), (x, y + length * 0.6)]), (214, 214, 210), 2)
        taken += [(x, y) for x in slots if c.rng.random() < 0.86]
    turns = [np.pi / 2 * c.rng.choice((-1, 1)) for _ in taken]
    objects.cars(
        c,
        [a.frame.sub(x, y, t) for (x, y), t in zip(taken, turns)],
        [str(c.rng.choice(colours)) for _ in taken],
        length,
    )
    words = ('in a row', 'in two rows', 'in three rows', 'in four rows')[rows - 1]
    return Part(Thing('car', len(taken), colours[0] if len(colours) == 1 else None, suffix=words))


def bridge(c: Canvas, a: Area, ground: str) -> Part:
    """One to three bridges over a river."""
    water, count = pick(c, ('blue', 'green', 'brown'), ground), int(c.rng.integers(1, 4))
    half = min(0.56 * a.hh, 84)
    x, y = wave(c, a.x0, a.x1, 16)
    objects.water(
        c, a.frame.at(np.concatenate([np.stack([x, y - half], -1), np.stack([x, 0.8 * y + half], -1)[::-1]])), water
    )
    colour = pick(c, ('white', 'red', 'grey', 'blue'), ground)
    spacing = 1.8 * a.hw / count
    wide = (26.0, 44.0)[int(c.rng.integers(2))]
    for i in range(count):
        f = a.frame.sub((i - (count - 1) / 2) * spacing, 0, np.pi / 2)
        objects.road(c, f.at([(-FAR, 0), (FAR, 0)]), 0.7 * wide)
        deck = f.box(-half - 24, -wide / 2, half + 24, wide / 2)
        c.shadow([deck], 16)
        c.poly(deck, c.colour(colour))
        c.poly(f.box(-half - 24, -wide * 0.26, half + 24, wide * 0.26), (104, 106, 110))
        c.dashes(f, -half - 20, half + 20, 0, objects.PAINT, 2, 10, 10)
        c.record('bridge', colour, deck)
    return Part(
        Thing('bridge', count, colour, 'wide' if wide > 30 else 'narrow'), (Thing('river', 1, water, relation='over'),)
    )


def viaduct(c: Canvas, a: Area, ground: str) -> Part:
    """A road over another one, with up to four curved ramps and some cars."""
    turn = c.rng.uniform(1.1, 2.0)
    ramps = int(c.rng.integers(0, 5))
    lower = a.frame.sub(0, 0, turn)
    radius = min(a.hh * 0.62, 105)
    objects.road(c, lower.at([(-2 * FAR, 0), (2 * FAR, 0)]), 44)
    for i in range(ramps):
        corner = a.frame.sub(0, 0, (turn / 2, turn / 2 + np.pi / 2, turn / 2 + np.pi, turn / 2 - np.pi / 2)[i])
        ring = corner.sub(radius * 0.86, 0).oval(radius * 0.62, radius * 0.5, 36)
        objects.road(c, np.concatenate([ring, ring[:1]]), 15, marked=False)
        c.record('ramp', '', ring)
    deck = a.frame.box(-2 * FAR, -28, 2 * FAR, 28)
    c.shadow([deck], 14)
    objects.road(c, a.frame.at([(-2 * FAR, 0), (2 * FAR, 0)]), 50, marked=False)
    c.line(a.frame.at([(-2 * FAR, 0), (2 * FAR, 0)]), (214, 184, 70), 3)
    for y in (-13, 13):
        c.dashes(a.frame, -FAR, FAR, y, objects.PAINT, 2)
    c.record('viaduct', '', a.frame.box(-a.hw, -28, a.hw, 28))
    colour = pick(c, ('white', 'red', 'blue', 'yellow'))
    count = number(c, most=6, several=8, many=0)
    at = np.linspace(-a.hw * 0.85, a.hw * 0.85, count) + c.rng.uniform(-8, 8, count)
    objects.cars(c, [a.frame.sub(x, 19 * c.rng.choice((-1, 1))) for x in at], [colour] * count, 32)
    details = [Thing('car', count, colour, relation='with')]
    if ramps:
        details.append(Thing('ramp', ramps, None, relation='with'))
    return Part(Thing('viaduct'), tuple(details))


def roundabout(c: Canvas, a: Area, ground: str) -> Part:
    """A ring road with three to five arms, a coloured island and some cars."""
    ways = int(c.rng.integers(3, 6))
    radius = min(a.hh, a.hw) * c.rng.uniform(0.5, 0.62)
    start = c.rng.uniform(0, 2 * np.pi)
    for i in range(ways):
        f = a.frame.sub(0, 0, start + 2 * np.pi * i / ways)
        objects.road(c, f.at([(0, 0), (2 * FAR, 0)]), 36)
    c.disc((a.frame.x, a.frame.y), radius + 3, (188, 186, 180))
    c.disc((a.frame.x, a.frame.y), radius, (92, 94, 99))
    middle = 0.58 * radius
    c.line(a.frame.oval(0.8 * radius, 0.8 * radius, 48), (214, 214, 210), 2, closed=True)
    c.disc((a.frame.x, a.frame.y), middle + 4, (206, 204, 198))
    colour = pick(c, ('green', 'red', 'yellow', 'blue', 'white'))
    if colour == 'green':
        c.surface('grass', a.frame.oval(middle, middle))
    elif colour == 'blue':
        c.surface('blue water', a.frame.oval(middle, middle))
    else:
        c.disc((a.frame.x, a.frame.y), middle, jitter(c.colour(colour), c.rng))
    if colour != 'blue':
        count = 7
        spin = np.linspace(0, 2 * np.pi, count, endpoint=False)
        ring = a.frame.at(np.stack([0.72 * middle * np.cos(spin), 0.72 * middle * np.sin(spin)], -1))
        objects.trees(c, ring, 8, key='')
    c.record('island', colour, a.frame.oval(middle, middle))
    c.record('roundabout', '', a.frame.oval(radius, radius))
    paint, count = pick(c, CARS[:3]), int(c.rng.integers(1, 7))
    spin = start + 2 * np.pi * (np.arange(count) + 0.5) / count
    objects.cars(
        c,
        [a.frame.sub(0.8 * radius * np.cos(s), 0.8 * radius * np.sin(s), s + np.pi / 2) for s in spin],
        [paint] * count,
        28,
    )
    return Part(
        Thing('roundabout'), (Thing('island', 1, colour, relation='with'), Thing('car', count, paint, relation='with'))
    )


def railway_station(c: Canvas, a: Area, ground: str) -> Part:
    """Tracks with trains of one colour and roofed platforms."""
    tracks = max(3, int(2 * a.hh / 36))
    pitch = 2 * a.hh / tracks
    c.textured('soil', ((116, 106, 98), (146, 136, 128), (164, 154, 146)), a.frame.box(a.x0, -a.hh, a.x1, a.hh))
    lanes = [(i - (tracks - 1) / 2) * pitch for i in range(tracks)]
    for y in lanes:
        c.poly(a.frame.box(a.x0, y - 7, a.x1, y + 7), (98, 86, 78))
        for rail in (-5, 5):
            c.line(a.frame.at([(a.x0, y + rail), (a.x1, y + rail)]), (204, 204, 208), 2)
    order = list(c.rng.permutation(tracks))
    roof, colour = pick(c, ROOFS), pick(c, ('white', 'red', 'blue', 'green', 'yellow'))
    platforms = int(c.rng.integers(1, 3))
    trains = int(c.rng.integers(1, min(5, tracks - platforms) + 1))
    for lane in order[:platforms]:
        f = a.frame.sub(0, lanes[lane])
        objects.building(c, f, 1.8 * a.hw, pitch * 0.94, roof, 'platform', height=12, gabled=True)
    for lane in order[platforms : platforms + trains]:
        coaches = int(c.rng.integers(3, 6))
        length = 1.7 * a.hw / 5
        first = -0.85 * a.hw + c.rng.random() * (1.7 * a.hw - coaches * length)
        shapes = [
            a.frame.box(first + i * length, lanes[lane] - 10, first + (i + 1) * length - 4, lanes[lane] + 10)
            for i in range(coaches)
        ]
        c.shadow(shapes, 9)
        paint = c.colour(colour)
        for shape in shapes:
            c.poly(shape, paint)
            c.line([(shape[0] + shape[3]) / 2, (shape[1] + shape[2]) / 2], tuple(int(v * 0.8) for v in paint), 4)
        c.record('train', colour, np.concatenate(shapes))
    return Part(Thing('train', trains, colour), (Thing('platform', platforms, roof, roof=True, relation='beside'),))
