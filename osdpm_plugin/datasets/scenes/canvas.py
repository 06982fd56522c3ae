"""Points in a rotated frame -> pixels of a supersampled canvas, with textures, anti-aliased shapes and shadows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Optional, Union

import cv2
import numpy as np
from numpy.typing import ArrayLike

from .palette import COLOURS, SURFACES, Colour, jitter
from .textures import GRAIN, texture, window

SIDE = 512  # canvas pixels; the picture is this, downsampled by area
FAR = 420.0  # half the side of a square that covers the canvas at any rotation
_SHIFT = 3


@dataclass(frozen=True)
class Frame:
    """A position and a direction: local (x, y) -> canvas pixels. ``angle`` in radians."""

    x: float
    y: float
    angle: float = 0.0

    def at(self, points: ArrayLike) -> np.ndarray:
        """(..., 2) local -> (..., 2) canvas pixels."""
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        points = np.asarray(points, np.float64)
        return np.stack(
            [
                self.x + cos * points[..., 0] - sin * points[..., 1],
                self.y + sin * points[..., 0] + cos * points[..., 1],
            ],
            -1,
        )

    def sub(self, x: float, y: float, angle: float = 0.0) -> Frame:
        """A frame at local (x, y), turned further by ``angle`` radians."""
        origin = self.at((x, y))
        return Frame(float(origin[0]), float(origin[1]), self.angle + angle)

    def box(self, x0: float, y0: float, x1: float, y1: float) -> np.ndarray:
        """Corners (4, 2) in canvas pixels of a local rectangle."""
        return self.at([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])

    def rect(self, width: float, height: float) -> np.ndarray:
        """Corners (4, 2) of a rectangle centred here."""
        return self.box(-width / 2, -height / 2, width / 2, height / 2)

    def oval(self, rx: float, ry: float, points: int = 40) -> np.ndarray:
        """Outline (points, 2) of an ellipse centred here."""
        angle = np.linspace(0, 2 * np.pi, points, endpoint=False)
        return self.at(np.stack([rx * np.cos(angle), ry * np.sin(angle)], -1))


@dataclass(frozen=True)
class Box:
    """One drawn object: its key, the name of its colour ('' if none) and its extent in picture pixels."""

    key: str
    colour: str
    x0: float
    y0: float
    x1: float
    y1: float


def _fixed(points: ArrayLike) -> np.ndarray:
    return np.rint(np.asarray(points, np.float64) * (1 << _SHIFT)).astype(np.int32).reshape(-1, 1, 2)


class Canvas:
    """A (512, 512, 3) uint8 RGB picture under construction, with one sun for all shadows.

    ``objects`` collects (key, colour name, (4,) canvas bounds) of each object that captions may count.
    """

    def __init__(self, rng: np.random.Generator):
        self.rng = rng
        self.pixels: np.ndarray = np.zeros((SIDE, SIDE, 3), np.uint8)
        angle = rng.uniform(0, 2 * np.pi)
        self.sun = np.array([np.cos(angle), np.sin(angle)]) * rng.uniform(0.6, 1.1)  # where shadows fall
        self.dark = rng.uniform(0.38, 0.52)
        self.objects: list[tuple[str, str, tuple[float, float, float, float]]] = []

    # --- bookkeeping
    def record(self, key: str, colour: Optional[str], points: ArrayLike) -> None:
        """Record an object of ``key`` with its outline (n, 2) in canvas pixels."""
        points = np.asarray(points)
        low, high = points.min(0), points.max(0)
        self.objects.append((key, colour or '', (float(low[0]), float(low[1]), float(high[0]), float(high[1]))))

    def colour(self, name: str) -> Colour:
        """A named colour, slightly different each time."""
        return jitter(COLOURS[name], self.rng)

    # --- surfaces
    def surface(self, name: str, points: Optional[ArrayLike] = None, holes: Sequence[ArrayLike] = ()) -> None:
        """Fill a polygon, or the whole canvas if there is none, with a textured surface of the palette."""
        self.textured(GRAIN.get(name, 'plain'), tuple(jitter(s, self.rng, 4) for s in SURFACES[name]), points, holes)

    def textured(
        self,
        grain: str,
        stops: tuple[Colour, ...],
        points: Optional[ArrayLike] = None,
        holes: Sequence[ArrayLike] = (),
    ) -> None:
        """Fill a polygon with tile ``grain`` seen through the ramp ``stops``."""
        if points is None:
            self.pixels[:] = texture(self.rng, grain, stops, SIDE, SIDE)
            return
        roi = self._roi([points])
        if roi is None:
            return
        x0, y0, x1, y1 = roi
        mask = np.zeros((y1 - y0, x1 - x0), np.uint8)
        cv2.fillPoly(mask, [_fixed(np.subtract(points, (x0, y0)))], 255, cv2.LINE_8, _SHIFT)
        for hole in holes:
            cv2.fillPoly(mask, [_fixed(np.subtract(hole, (x0, y0)))], 0, cv2.LINE_8, _SHIFT)
        cv2.copyTo(texture(self.rng, grain, stops, *mask.shape), mask, self.pixels[y0:y1, x0:x1])

    def mottle(self, name: str) -> None:
        """Blend a second surface into the whole canvas in soft patches."""
        other = texture(self.rng, GRAIN.get(name, 'plain'), SURFACES[name], SIDE, SIDE)
        field = window(self.rng, 'patches', SIDE, SIDE).astype(np.float32)
        weight = np.clip((field - self.rng.uniform(120, 165)) * 0.016, 0, 0.85)
        self.pixels = cv2.blendLinear(other, self.pixels, weight, 1 - weight)

    # --- shapes
    def poly(self, points: ArrayLike, colour: Colour) -> None:
        """Fill a polygon (n, 2)."""
        cv2.fillPoly(self.pixels, [_fixed(points)], colour, cv2.LINE_AA, _SHIFT)

    def line(self, points: Union[np.ndarray, Sequence], colour: Colour, width: float = 2, closed: bool = False) -> None:
        """Draw a line (n, 2) of ``width`` canvas pixels; a bend has round corners."""
        if len(points) == 2 and width > 6:
            (ax, ay), (bx, by) = points
            across = np.array([ay - by, bx - ax]) * (width / 2 / max(np.hypot(bx - ax, by - ay), 1e-6))
            self.poly([points[0] + across, points[1] + across, points[1] - across, points[0] - across], colour)
            return
        cv2.polylines(self.pixels, [_fixed(points)], closed, colour, max(1, round(width)), cv2.LINE_AA, _SHIFT)

    def disc(self, centre: Iterable[float], radius: float, colour: Colour, width: float = -1) -> None:
        """Fill a disc, or draw a circle if ``width`` is positive."""
        x, y, reach = (round(v * 8) for v in (*centre, radius))
        cv2.circle(self.pixels, (x, y), reach, colour, round(width), cv2.LINE_AA, _SHIFT)

    def dashes(
        self,
        frame: Frame,
        x0: float,
        x1: float,
        y: float,
        colour: Colour,
        width: float = 3,
        on: float = 14,
        off: float = 14,
    ) -> None:
        """A dashed straight line along local x."""
        for x in np.arange(x0, x1, on + off):
            self.poly(frame.box(x, y - width / 2, min(x + on, x1), y + width / 2), colour)

    # --- light
    def shadow(self, shapes: Sequence[ArrayLike], height: float) -> None:
        """Darken the ground in the shadow of convex shapes [(n, 2), ...] of one height (canvas pixels)."""
        hulls = []
        for shape in shapes:
            shape = np.asarray(shape, np.float32)
            both = np.concatenate([shape, shape + (self.sun * height).astype(np.float32)])
            hulls.append(cv2.convexHull(both)[:, 0])
        self._darken(hulls)

    def drop(self, shapes: Sequence[ArrayLike], height: float) -> None:
        """Darken the displaced outline of shapes above the ground (planes, crowns); they need not be convex."""
        self._darken([np.asarray(shape) + self.sun * height for shape in shapes])

    def _darken(self, shapes: Sequence[ArrayLike]) -> None:
        roi = self._roi(shapes) if shapes else None
        if roi is None:
            return
        x0, y0, x1, y1 = roi
        mask = np.zeros((y1 - y0, x1 - x0), np.uint8)
        for shape in shapes:
            cv2.fillPoly(mask, [_fixed(np.subtract(shape, (x0, y0)))], 255, cv2.LINE_8, _SHIFT)
        view = self.pixels[y0:y1, x0:x1]
        level = np.array([self.dark * 0.94, self.dark, self.dark * 1.1])  # shadows are bluish
        table = np.arange(256)[:, None] * (1 - level)
        cv2.copyTo(cv2.LUT(view, table.astype(np.uint8)[None]), mask, view)

    @staticmethod
    def _roi(shapes: Sequence[ArrayLike]) -> Optional[tuple[int, int, int, int]]:
        points = np.concatenate([np.asarray(s).reshape(-1, 2) for s in shapes])
        x0, y0 = np.clip(np.floor(points.min(0)) - 1, 0, SIDE).astype(int)
        x1, y1 = np.clip(np.ceil(points.max(0)) + 2, 0, SIDE).astype(int)
        return (x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None

    # --- the finished picture
    def finish(self, size: int) -> np.ndarray:
        """(size, size, 3) uint8 RGB: downsampled, with uneven light, haze and sensor noise."""
        rng = self.rng
        interpolation = cv2.INTER_AREA if size <= SIDE else cv2.INTER_CUBIC
        picture: np.ndarray = cv2.resize(self.pixels, (size, size), interpolation=interpolation).astype(np.float32)
        span = min(size, 256)
        light = 1 + (window(rng, 'smooth', span, span).astype(np.float32) - 128) * (0.0009 * rng.uniform(0, 1))
        grain = (window(rng, 'noise', span, span).astype(np.float32) - 128) * (0.05 * rng.uniform(0.4, 1.2))
        if span != size:
            light, grain = (np.asarray(cv2.resize(field, (size, size)), np.float32) for field in (light, grain))
        haze, tint = rng.uniform(0, 0.09), rng.uniform(0.97, 1.03, 3).astype(np.float32)
        picture *= (light * rng.uniform(0.93, 1.06) * (1 - haze))[..., None]
        picture *= tint
        picture += grain[..., None]
        picture += np.array([206, 214, 224], np.float32) * np.float32(haze)
        return np.clip(picture, 0, 255).astype(np.uint8)
