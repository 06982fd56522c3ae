"""Scores of tiles -> a map of cells. Pure functions, and the map."""

from __future__ import annotations

from typing import NamedTuple, Sequence

import numpy as np

from .grid import Layout
from .records import SceneRecord
from .scene import PixelRule

LEAST_RANGE = 1e-6  # of cosines; below it a map is rounding


class SimilarityMap(NamedTuple):
    """How much each place of a scene is like what was asked.

    Attributes:
        values: (h, w) float32 mean cosines, NaN where no tile lies; cells are equal shares of the scene.
        record: of the scene.
        rule: how its values become colours.
        query: what was asked, in words.
        sizes: height and width in pixels of the tiles.
    """

    values: np.ndarray
    record: SceneRecord
    rule: PixelRule
    query: str
    sizes: tuple[tuple[int, int], ...]

    @property
    def cell(self) -> tuple[float, float]:
        """Pixels from a value to the next one below and to the right."""
        (height, width), (rows, columns) = self.record.shape, self.values.shape
        return height / rows, width / columns

    @property
    def scaled(self) -> np.ndarray:
        """(h, w) from 0 at the lowest value to 1 at the highest, NaN where no tile lies; 0 if all are the same."""
        low, high = np.nanmin(self.values), np.nanmax(self.values)
        span = high - low
        return (self.values - low) / span if span > LEAST_RANGE else np.where(np.isnan(self.values), np.nan, 0.0)


def merge(shape: Sequence[int], scores: Sequence[tuple[Layout, np.ndarray]], cells: tuple[int, int]) -> np.ndarray:
    """(h, w) float64 mean scores of the tiles that cover each cell, weighted by the covered area; NaN without.

    Args:
        shape: height and width of the scene in pixels.
        scores: layouts of tiles, each with (rows, columns) scores, NaN for tiles that are left out.
        cells: h and w.
    """
    total, weight = np.zeros(cells), np.zeros(cells)
    for layout, values in scores:
        down = _overlaps(layout.rows, layout.height, shape[0], cells[0])  # (rows, h) pixels
        across = _overlaps(layout.columns, layout.width, shape[1], cells[1])  # (columns, w) pixels
        total += down.T @ np.nan_to_num(values) @ across
        weight += down.T @ np.isfinite(values).astype(np.float64) @ across
    return np.divide(total, weight, out=np.full(cells, np.nan), where=weight > 1e-9)


def median_filter(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(h, w) medians of what is not NaN around each value; NaN stays, and nothing lies beyond the edge.

    Args:
        values: (h, w).
        size: odd height and width of the surroundings.
    """
    down, across = size[0] // 2, size[1] // 2
    padded = np.pad(values, ((down, down), (across, across)), constant_values=np.nan)
    smooth = np.full_like(values, np.nan)
    for row, known in enumerate(np.isfinite(values)):
        around = np.lib.stride_tricks.sliding_window_view(padded[row : row + size[0]], size)[0][known]
        smooth[row, known] = np.nanmedian(around, axis=(1, 2))
    return smooth


def _overlaps(starts: Sequence[int], side: int, length: int, cells: int) -> np.ndarray:
    """(tiles, cells) pixels that a tile and a cell have in common, along one axis."""
    edges = np.linspace(0, length, cells + 1)
    first = np.asarray(starts, np.float64)[:, None]
    return np.clip(np.minimum(first + side, edges[1:]) - np.maximum(first, edges[:-1]), 0, None)
