"""Canvas -> the plan of a picture: a rotated square, cut into strips for secondary elements and a main area."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .canvas import FAR, SIDE, Canvas, Frame
from .captions import Description
from .vocabulary import Thing


@dataclass(frozen=True)
class Area:
    """A rectangle with its own frame, centred on its visible part.

    Attributes:
        frame: position and direction of the centre.
        hw: half the width of the visible part (canvas pixels).
        hh: half its height.
        x0: limits of the painted rectangle, which may leave the canvas; likewise y0, x1 and y1.
    """

    frame: Frame
    hw: float
    hh: float
    x0: float
    y0: float
    x1: float
    y1: float

    def outline(self, grow: float = 0.0) -> np.ndarray:
        """Corners (4, 2) in canvas pixels of the painted rectangle."""
        return self.frame.box(self.x0 - grow, self.y0 - grow, self.x1 + grow, self.y1 + grow)


def _area(frame: Frame, visible: np.ndarray, painted: np.ndarray, turns: int) -> Area:
    """Two rectangles (x0, y0, x1, y1) in ``frame`` -> `Area`, whose own frame has quarter turns."""
    centre = np.array([visible[0] + visible[2], visible[1] + visible[3]]) / 2
    sub = frame.sub(centre[0], centre[1], turns * np.pi / 2)

    def turned(rect: np.ndarray) -> np.ndarray:
        corners = rect.reshape(2, 2) - centre
        for _ in range(turns % 4):
            corners = np.stack([corners[:, 1], -corners[:, 0]], -1)
        return np.concatenate([corners.min(0), corners.max(0)])

    inside, outside = turned(visible), turned(painted)
    return Area(sub, inside[2], inside[3], *outside)


_OUTWARD = (1, 2, 3, 0)  # quarter turns that point local +y out of side low x, low y, high x, high y


class Site:
    """Cuts strips off a square at a random rotation of at most 17 degrees plus quarter turns.

    order: 'any' cuts strips from different sides; 'opposite' from two opposite ones; 'stacked' all from one side, and
    then local +y of the main area points to the other one, which is open.
    """

    def __init__(self, canvas: Canvas, order: str = 'any'):
        rng = canvas.rng
        self.canvas = canvas
        tilt = rng.uniform(-0.3, 0.3) if rng.random() < 0.7 else rng.uniform(-0.06, 0.06)
        self.frame = Frame(SIDE / 2, SIDE / 2, tilt + rng.integers(4) * np.pi / 2)
        self.half = SIDE / 2 / (np.cos(tilt) + np.sin(abs(tilt))) - 3
        self._free = np.array([-FAR, -FAR, FAR, FAR])
        self._sides = list(rng.permutation(4))
        first, self._open = self._sides[0], None
        if order == 'opposite':
            self._sides = [first, (first + 2) % 4]
        elif order == 'stacked':
            self._sides, self._open = [first, first], (first + 2) % 4

    def _visible(self, rect: np.ndarray) -> np.ndarray:
        return np.clip(rect, -self.half, self.half)

    def strip(self, thickness: float) -> Area:
        """The next strip of ``thickness`` visible canvas pixels; its local +y points out of the picture."""
        side = self._sides.pop()
        painted = self._free.copy()
        if side < 2:  # at the low end of x (0) or y (1)
            painted[side + 2] = max(painted[side], -self.half) + thickness
            self._free[side] = painted[side + 2]
        else:
            painted[side - 2] = min(painted[side], self.half) - thickness
            self._free[side] = painted[side - 2]
        return _area(self.frame, self._visible(painted), painted, _OUTWARD[side])

    def main(self) -> Area:
        """The remaining area; its long side lies along local x unless one side must stay open."""
        visible = self._visible(self._free)
        width, height = visible[2] - visible[0], visible[3] - visible[1]
        turns = 2 * int(self.canvas.rng.integers(2)) + (height > width)
        if self._open is not None:
            turns = _OUTWARD[self._open]
        return _area(self.frame, visible, self._free, turns)


@dataclass(frozen=True)
class Part:
    """The result of a drawing function: the main thing and the ``details`` that belong to it."""

    main: Thing
    details: tuple[Thing, ...] = ()

    def describe(self, kind: str, place: str, companions: tuple[Thing, ...]) -> Description:
        """Add the kind, the place and the companions."""
        return Description(kind, self.main, self.details, companions, place)


def cells(count: int, hw: float, hh: float, aspect: float = 1.0) -> tuple[list[tuple[float, float]], float]:
    """``count`` places in a (2 hw, 2 hh) rectangle; width (``aspect`` x height) of the largest boxes that fit."""
    best = (0.0, 1)
    for rows in range(1, count + 1):
        columns = -(-count // rows)
        best = max(best, (min(2 * hw / columns, aspect * 2 * hh / rows), -rows))
    width, rows = best[0], -best[1]
    columns = -(-count // rows)
    dx, dy = min(2 * hw / columns, width * 1.35), min(2 * hh / rows, width / aspect * 1.35)
    places = []
    for i in range(count):
        row = i // columns
        in_row = min(columns, count - row * columns)
        places.append(((i % columns - (in_row - 1) / 2) * dx, (row - (rows - 1) / 2) * dy))
    return places, width
