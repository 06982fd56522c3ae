"""Name -> (h, w, 3) uint8 texture: random windows of cached grey tiles, coloured by a ramp.

The tiles are drawn once in each process from fixed seeds, which belong to the version of the generator; a picture costs
only a crop, a flip and a lookup table.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from .palette import Colour, ramp

TILE = 1152  # side of a tile in canvas pixels


def _to_uint8(field: np.ndarray, contrast: float = 44.0) -> np.ndarray:
    field = (field - field.mean()) / max(float(field.std()), 1e-6)
    return np.clip(128 + contrast * field, 0, 255).astype(np.uint8)


def _fractal(seed: int, octaves: tuple[tuple[int, int, float], ...]) -> np.ndarray:
    """Sum of value noise; an octave is (cells down, cells across, weight). Returns (TILE, TILE) float32."""
    rng = np.random.default_rng(seed)
    field = np.zeros((TILE, TILE), np.float32)
    for rows, columns, weight in octaves:
        grid = rng.standard_normal((rows, columns)).astype(np.float32)
        field += weight * cv2.resize(grid, (TILE, TILE), interpolation=cv2.INTER_CUBIC)
    return field


def _canopy(seed: int) -> np.ndarray:
    """Tree crowns from above, lit from one corner, with dark gaps between them."""
    rng = np.random.default_rng(seed)
    tile = np.full((TILE, TILE), 26, np.uint8)
    step = 17
    grid = np.stack(np.meshgrid(np.arange(0, TILE, step), np.arange(0, TILE, step)), -1).reshape(-1, 2)
    centres = grid + rng.uniform(-8, 8, grid.shape)
    for x, y in rng.permutation(centres):
        radius, tone = rng.uniform(7, 14), rng.uniform(0.72, 1.2)
        for scale, offset, level in ((1, 0, 72), (0.78, 0.18, 112), (0.45, 0.36, 160)):
            at = (int(8 * (x - offset * radius)), int(8 * (y - offset * radius)))
            cv2.circle(tile, at, int(8 * radius * scale), int(min(255, level * tone)), -1, cv2.LINE_AA, 3)
    broad = _fractal(seed + 1, ((8, 8, 1.0), (400, 400, 0.8)))
    return np.clip(tile + 9 * broad, 0, 255).astype(np.uint8)


def _dunes(seed: int) -> np.ndarray:
    """Wind ripples: a warped saw-tooth, bright on one flank."""
    y, x = np.mgrid[0:TILE, 0:TILE].astype(np.float32)
    warp = 46 * _fractal(seed, ((5, 5, 1.0), (14, 14, 0.4)))
    phase = ((y + 0.35 * x + warp) / 62) % 1
    ridge = np.where(phase < 0.75, phase / 0.75, (1 - phase) / 0.25)
    fine = np.sin((y + 0.2 * x + 0.5 * warp) / 2.6)
    return _to_uint8(ridge + 0.12 * fine + 0.18 * _fractal(seed + 1, ((500, 500, 1.0), (7, 7, 0.8))), 46)


@lru_cache(None)
def tile(name: str) -> np.ndarray:
    """One grey tile (TILE, TILE) uint8; names: grass, soil, plain, water, canopy, dunes, smooth, patches, noise."""
    if name == 'canopy':
        return _canopy(11)
    if name == 'dunes':
        return _dunes(21)
    octaves = {
        'grass': (31, ((6, 6, 0.8), (30, 30, 0.6), (130, 130, 0.5), (560, 560, 0.7))),
        'soil': (41, ((5, 5, 0.9), (22, 22, 0.8), (90, 90, 0.45), (500, 500, 0.55))),
        'plain': (51, ((6, 6, 0.8), (60, 60, 0.4), (576, 576, 0.7))),
        'water': (61, ((5, 5, 1.0), (60, 24, 0.35), (300, 120, 0.5))),
        'smooth': (71, ((4, 4, 1.0), (7, 7, 0.5))),
        'patches': (91, ((9, 9, 1.0), (24, 24, 0.6), (80, 80, 0.35))),
        'noise': (81, ((TILE, TILE, 1.0),)),
    }[name]
    return _to_uint8(_fractal(*octaves))


# The tile of each surface; surfaces not named here use 'plain'.
GRAIN = {
    'grass': 'grass',
    'soil': 'soil',
    'sand': 'soil',
    'dry grass': 'grass',
    'pale soil': 'soil',
    'pale sand': 'soil',
    'canopy': 'canopy',
    'autumn': 'canopy',
    'blue water': 'water',
    'green water': 'water',
    'brown water': 'water',
    'dune yellow': 'dunes',
    'dune orange': 'dunes',
}


def window(rng: np.random.Generator, name: str, height: int, width: int) -> np.ndarray:
    """A random window (height, width) uint8 of a tile, flipped at random."""
    source = tile(name)
    y, x = rng.integers(0, TILE - height + 1), rng.integers(0, TILE - width + 1)
    crop = source[y : y + height, x : x + width]
    return crop[:: rng.choice((-1, 1)), :: rng.choice((-1, 1))]


def texture(rng: np.random.Generator, name: str, stops: tuple[Colour, ...], height: int, width: int) -> np.ndarray:
    """A window of tile ``name`` through the colour ramp ``stops``: (height, width, 3) uint8 RGB."""
    return cv2.applyColorMap(np.ascontiguousarray(window(rng, name, height, width)), ramp(stops))


def warm_up() -> None:
    """Draw all tiles now, so that forked workers share them."""
    for name in ('grass', 'soil', 'plain', 'water', 'canopy', 'dunes', 'smooth', 'patches', 'noise'):
        tile(name)
