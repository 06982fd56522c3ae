"""RGB -> 16-bit reflectance in blue, green, red and near infrared, inside a turned border of no data."""

from __future__ import annotations

from typing import Union

import numpy as np

NAMES = ('blue', 'green', 'red', 'near infrared')
NO_DATA = 0
ANGLE = np.deg2rad(12)  # by which the square of valid pixels is turned
OFFSET, GAIN = 200, 12  # reflectance x 10000 = offset + gain x level
LEAF = 2800  # near infrared that vegetation adds
_ROWS = 256  # rows at a time, for the memory

Points = Union[float, np.ndarray]


def inside_border(row: Points, col: Points, size: int) -> np.ndarray:
    """Whether points (pixels) lie in the square of valid pixels, whose corners touch the edges of the scene -> bool."""
    cos, sin = np.cos(ANGLE), np.sin(ANGLE)
    y, x = np.subtract(row, size / 2), np.subtract(col, size / 2)
    half = size / 2 / (cos + sin)
    return (np.abs(x * cos + y * sin) <= half) & (np.abs(y * cos - x * sin) <= half)


def reflectance(rgb: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 RGB -> (4, H, W) uint16, reflectance x 10000 in the order of ``NAMES``.

    The near infrared is the brightness, low where blue is strongest (water) and high where green is (leaves).
    """
    red, green, blue = np.moveaxis(rgb.astype(np.int32), -1, 0)
    brightness = GAIN * (red + green + blue) // 3
    brightness = np.where(blue > np.maximum(red, green), brightness // 4, brightness)
    leaf = LEAF * np.clip(2 * green - red - blue, 0, 40) // 40
    return np.stack([OFFSET + band for band in (GAIN * blue, GAIN * green, GAIN * red, brightness + leaf)]).astype(
        np.uint16
    )


def four_bands(rgb: np.ndarray) -> np.ndarray:
    """(size, size, 3) uint8 RGB -> (4, size, size) uint16 reflectance, ``NO_DATA`` outside the turned square."""
    size = len(rgb)
    out = np.empty((4, size, size), np.uint16)
    cols = np.arange(size) + 0.5
    for start in range(0, size, _ROWS):
        part = slice(start, start + _ROWS)
        valid = inside_border(np.arange(size)[part, None] + 0.5, cols, size)
        out[:, part] = np.where(valid, reflectance(rgb[part]), NO_DATA)
    return out
