"""(canvas, area, ground) -> a scene of land or water, drawn, and its `Part`."""

from __future__ import annotations

import numpy as np

from . import objects
from .canvas import Canvas
from .companions import blob, pick, wave
from .kinds_transport import number
from .palette import shade
from .site import Area, Part, cells
from .vocabulary import Thing

CROPS = ('green', 'yellow', 'brown')


def farmland(c: Canvas, a: Area, ground: str) -> Part:
    """Rectangular furrowed fields of one colour."""
    count, colour = number(c, most=6, several=8, many=0), pick(c, CROPS, ground)
    places, width = cells(count, a.hw, a.hh, 1.3)
    turn = bool(c.rng.integers(2))
    for x, y in places:
        f = a.frame.sub(x, y)
        w, h = width * 0.92, width / 1.3 * 0.9
        if turn:
            objects.furrows(c, a.frame.sub(x, y, np.pi / 2), -h / 2, -w / 2, h / 2, w / 2, colour)
        else:
            objects.furrows(c, f, -w / 2, -h / 2, w / 2, h / 2, colour)
        c.line(f.rect(w, h), (120, 130, 84), 3, closed=True)
        c.record('farmland', colour, f.rect(w, h))
    return Part(Thing('farmland', count, colour))


def circular_farmland(c: Canvas, a: Area, ground: str) -> Part:
    """Fields under centre-pivot irrigation."""
    count, colour = number(c, most=6, several=8, many=0), pick(c, CROPS, ground)
    places, width = cells(count, a.hw * 0.98, a.hh * 0.98)
    radius = min(0.46 * width, 120)
    for x, y in places:
        f = a.frame.sub(x, y, c.rng.uniform(0, 2 * np.pi))
        c.surface(f'field {colour}', f.oval(radius, radius, 60))
        for ring in np.arange(0.2, 1, 0.16):
            c.disc((f.x, f.y), ring * radius, shade(c.colour(colour), 0.8), 1)
        c.line(f.at([(0, 0), (radius, 0)]), (214, 214, 206), 2)
        c.disc((f.x, f.y), 4, (214, 214, 206))
        c.record('circle', colour, f.oval(radius, radius))
    return Part(Thing('circle', count, colour))


def forest(c: Canvas, a: Area, ground: str) -> Part:
    """A forest with a road through it, or a pond or houses in a clearing."""
    tone = 'orange' if c.rng.random() < 0.4 else 'green'
    objects.woods(c, a.frame, a.x0, a.y0, a.x1, a.y1, tone)
    choice = c.rng.integers(4)
    if choice == 0:
        crossing = Thing('dirt road', 1, relation='crossed')
        x, y = wave(c, a.x0, a.x1, 22)
        objects.road(c, a.frame.at(np.stack([x, y], -1)), 22, dirt=True)
    elif choice == 1:
        crossing = Thing('road', 1, size='narrow', relation='crossed')
        x, y = wave(c, a.x0, a.x1, 12)
        objects.road(c, a.frame.at(np.stack([x, y], -1)), 22)
    elif choice == 2:
        colour = pick(c, ('blue', 'green'))
        crossing = Thing('pond', 1, colour, 'small', relation='circling')
        f = a.frame.sub(c.rng.uniform(-0.4, 0.4) * a.hw, 0)
        objects.water(c, f.at(blob(c, 0.5 * a.hh, 0.4 * a.hh)), colour)
        c.record('pond', colour, f.oval(0.45 * a.hh, 0.36 * a.hh))
    else:
        roof = pick(c, ('red', 'blue', 'white'))
        count = int(c.rng.integers(1, 4))
        crossing = Thing('house', count, roof, roof=True, relation='circling')
        for x in (np.arange(count) - (count - 1) / 2) * 90:
            c.surface('grass', a.frame.sub(x, 0).oval(52, 42))
            objects.building(c, a.frame.sub(x, 0), 58, 38, roof, 'house', height=18, gabled=True)
    return Part(Thing('forest', 1, tone, 'dense'), (crossing,))


def beach(c: Canvas, a: Area, ground: str) -> Part:
    """Sand with umbrellas, surf and the sea."""
    water = pick(c, ('blue', 'green'))
    x, y = wave(c, a.x0, a.x1, 14)
    shore = 0.05 * a.hh
    edge = np.stack([x, y + shore], -1)
    c.surface('sand', a.outline())
    for offset, name in ((0, None), (10, f'{water} water')):
        outline = a.frame.at(np.concatenate([edge + (0, offset), [(a.x1, a.y1), (a.x0, a.y1)]]))
        c.poly(outline, (238, 242, 240)) if name is None else c.surface(name, outline)
    for offset in (26, 44):
        c.line(a.frame.at(edge * (1, 1.15) + (0, offset)), (206, 222, 226), 3)
    count, colour = number(c, several=8, many=0), pick(c, ('red', 'blue', 'white', 'orange', 'green'))
    places, width = cells(count, a.hw * 0.9, 0.45 * a.hh, 1.0)
    radius = min(0.3 * width, 22)
    for px, py in places:
        f = a.frame.sub(px, py - 0.5 * a.hh)
        c.drop([f.oval(radius, radius, 16)], 10)
        paint = c.colour(colour)
        c.disc((f.x, f.y), radius, paint)
        for spoke in np.arange(0, 2 * np.pi, np.pi / 3):
            tips = [(radius * np.cos(s), radius * np.sin(s)) for s in (spoke, spoke + np.pi / 8)]
            c.poly(f.at([(0, 0), *tips]), shade(paint, 1.4 if colour != 'white' else 0.85))
        c.record('umbrella', colour, f.oval(radius, radius))
    return Part(
        Thing('beach'), (Thing('umbrella', count, colour, relation='with'), Thing('sea', 1, water, relation='beside'))
    )


def desert(c: Canvas, a: Area, ground: str) -> Part:
    """Dunes with scattered rocks."""
    tone = pick(c, ('yellow', 'orange'))
    c.surface(f'dune {tone}')
    count, colour = number(c, several=8, many=0), pick(c, ('black', 'grey', 'white'))
    for i in range(count):
        step = 1.8 * a.hw / count
        f = a.frame.sub((i - (count - 1) / 2) * step, c.rng.uniform(-0.6, 0.6) * a.hh, c.rng.uniform(0, 6))
        outline = f.at(blob(c, min(0.34 * step, 30), min(0.26 * step, 22)))[::3]
        c.shadow([outline], 14)
        paint = c.colour(colour)
        c.poly(outline, shade(paint, 0.8))
        c.poly((outline - (f.x, f.y)) * 0.66 + (f.x, f.y) - c.sun * 4, shade(paint, 1.15))
        c.record('rock', colour, outline)
    return Part(Thing('desert', 1, tone), (Thing('rock', count, colour, relation='with'),))


def park(c: Canvas, a: Area, ground: str) -> Part:
    """A pond with a path, trees and sometimes boats."""
    water, tone = pick(c, ('blue', 'green')), 'orange' if c.rng.random() < 0.35 else 'green'
    small = c.rng.random() < 0.4
    f, scale = a.frame.sub(c.rng.uniform(-0.2, 0.2) * a.hw, 0), 0.52 if small else 0.78
    shape = blob(c, min(a.hw, 1.7 * a.hh) * scale, a.hh * scale)
    c.line(f.at(shape * 1.14), (214, 200, 170), 9, closed=True)
    objects.water(c, f.at(shape), water)
    c.record('pond', water, f.at(shape))
    angle = c.rng.uniform(0, 2 * np.pi, 60)
    ring = np.stack([np.cos(angle), np.sin(angle)], -1) * (min(a.hw, 1.7 * a.hh) * scale, a.hh * scale)
    grow = c.rng.uniform(1.2, 1.5, (60, 1))
    ring = ring * grow
    ring = ring[(np.abs(ring) < (a.hw - 8, a.hh - 4)).all(1)][:24]
    trees = len(ring)
    objects.trees(c, f.at(ring), c.rng.uniform(8, 13, trees), tone)
    boats, details = int(c.rng.integers(0, 5)), []
    if trees > 1:
        details.append(Thing('tree', trees, tone, relation='around'))
    if boats:
        colour = pick(c, ('white', 'red', 'yellow', 'orange'))
        spin = c.rng.uniform(0, 2 * np.pi) + np.arange(boats) * 2 * np.pi / boats
        reach = np.array((min(a.hw, 1.7 * a.hh), a.hh)) * scale * (0.42 if boats > 1 else 0)
        for s in spin:
            objects.ship(c, f.sub(reach[0] * np.cos(s), reach[1] * np.sin(s), s + np.pi / 2), 40, colour)
        details.append(Thing('ship', boats, colour, 'small', relation='with'))
    return Part(Thing('pond', 1, water, 'small' if small else 'large'), tuple(details))


def bare_land(c: Canvas, a: Area, ground: str) -> Part:
    """Bare soil with tracks and scattered trees."""
    c.surface('soil', a.outline())
    for _ in range(4):
        f = a.frame.sub(c.rng.uniform(-0.8, 0.8) * a.hw, c.rng.uniform(-0.7, 0.7) * a.hh, c.rng.uniform(0, 3))
        c.line(f.at(np.stack(wave(c, -150, 150, 14), -1)), (196, 164, 130), 5)
    count, tone = int(c.rng.choice((3, 5, 8, 14))), 'green' if c.rng.random() < 0.6 else 'orange'
    objects.scatter_trees(c, a.frame, -0.9 * a.hw, -0.85 * a.hh, 0.9 * a.hw, 0.85 * a.hh, count, (9, 14), tone)
    return Part(Thing('bare land', None, 'brown'), (Thing('tree', count, tone, relation='with'),))
