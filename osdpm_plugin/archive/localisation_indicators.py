"""A map of similarities and the regions that are meant -> how well it points at them. Pure functions.

The indicators of Yuan et al., "Learning to evaluate performance of multimodal semantic localization", IEEE TGRS 2022,
doi:10.1109/TGRS.2022.3207171, by the constants of the authors' published code.

Interpretation: they work on 8-bit maps of one value a pixel. Here a value is that of a cell of many pixels, so that
sums over pixels are sums over cells, of which a region may cover a share; filters are given in pixels and rounded to
cells; distances stay in pixels, without rounding to whole ones. Cells without data take no part.
"""

from __future__ import annotations

from typing import NamedTuple, Sequence

import numpy as np
import shapely
from scipy import ndimage

from ..errors import DataError

BETA = 0.707  # of R_su
EPSILON = 1e-7
RADIUS = 1.5  # of a region, in mean distances of its corners from its centre
SHIFT_BETA = 3.0  # of R_as
ETA = 0.5  # of R_da
WEIGHTS = (0.4, 0.35, 0.25)  # of R_su, 1 - R_as and R_da in R_mi
SMOOTHING, SMOOTHINGS = 50, 5  # pixels of a mean filter, and how often it is run before maxima are looked for
NEIGHBOURHOOD = 1000  # pixels in which a maximum is the only one
LEAST = 0.5  # of a maximum


class Indicators(NamedTuple):
    """All from 0 to 1.

    Attributes:
        significant_area: R_su, higher is better.
        attention_shift: R_as, lower is better.
        discrete_attention: R_da, higher is better.
        mean: R_mi, higher is better.
    """

    significant_area: float
    attention_shift: float
    discrete_attention: float
    mean: float


def indicators(heat: np.ndarray, regions: Sequence[np.ndarray], cell: tuple[float, float]) -> Indicators:
    """The four indicators; ``R_mi = 0.4 R_su + 0.35 (1 - R_as) + 0.25 R_da``.

    Args:
        heat: (h, w) from 0 to 1, NaN where there is no data.
        regions: (K, 2) column and row in pixels of the corners of each.
        cell: pixels from a value of the map to the next one below and to the right.

    Raises:
        DataError: there are no regions, or they lie beside the map.
    """
    area = significant_area(heat, coverage(heat.shape, regions, cell))
    centres = attention_centres(heat, cell)
    shift, discrete = attention_shift(centres, regions), discrete_attention(centres, regions)
    mean = WEIGHTS[0] * area + WEIGHTS[1] * (1 - shift) + WEIGHTS[2] * discrete
    return Indicators(area, shift, discrete, mean)


def coverage(shape: Sequence[int], regions: Sequence[np.ndarray], cell: tuple[float, float]) -> np.ndarray:
    """(h, w) share, 0 to 1, of each cell that lies in a region; arguments as in `indicators`."""
    down, right = cell
    rows, columns = np.meshgrid(np.arange(shape[0]), np.arange(shape[1]), indexing='ij')
    cells = shapely.box(columns * right, rows * down, (columns + 1) * right, (rows + 1) * down)  # (h, w)
    area = shapely.union_all([shapely.make_valid(shapely.Polygon(region)) for region in regions])
    shapely.prepare(area)
    share = shapely.covers(area, cells).astype(np.float64)
    cut = shapely.intersects(area, cells) & (share == 0)
    share[cut] = shapely.area(shapely.intersection(area, cells[cut])) / (down * right)
    return share


def significant_area(heat: np.ndarray, inside: np.ndarray) -> float:
    """R_su, the significant area proportion.

    ``1 - exp(-0.707 m)`` with m the mean of the map in the regions over its mean elsewhere: 0.507 for a map that is the
    same everywhere, 1 for one that is 0 outside.

    Args:
        heat: (h, w), as in `indicators`.
        inside: (h, w) share of each cell in the regions.

    Raises:
        DataError: no cell with data lies in them.
    """
    known = np.isfinite(heat)
    heat, inside = heat[known].astype(np.float64), inside[known]
    region = inside.sum()
    if region <= 0:
        raise DataError('none of the regions lies on a part of the scene that has data; check their coordinates')
    within = (heat * inside).sum()
    ratio = within / (heat.sum() - within + EPSILON) * (heat.size - region) / region
    return float(1 - np.exp(-BETA * ratio))


def attention_centres(heat: np.ndarray, cell: tuple[float, float]) -> np.ndarray:
    """(P, 2) column and row in pixels of the places to which a map draws attention.

    Of the map in 256 steps, smoothed by a mean of 50 pixels five times over, each part that is the highest within 1000
    pixels around it, by its middle, if the map there is at least 0.5. Arguments as in `indicators`.
    """
    smooth = np.round(255 * np.nan_to_num(heat.astype(np.float64)))
    for _ in range(SMOOTHINGS):
        smooth = np.round(ndimage.uniform_filter(smooth, [max(1, round(SMOOTHING / side)) for side in cell]))
    highest = ndimage.maximum_filter(smooth, [max(1, round(NEIGHBOURHOOD / side)) for side in cell])
    labels, count = ndimage.label((smooth == highest) & (smooth > 0), structure=np.ones((3, 3)))
    middles = np.array(ndimage.center_of_mass(labels > 0, labels, range(1, count + 1))).reshape(-1, 2)
    values = np.array([heat[tuple(np.floor(middle + 0.5).astype(int))] for middle in middles])
    return ((middles[values >= LEAST] + 0.5) * cell)[:, ::-1]


def attention_shift(centres: np.ndarray, regions: Sequence[np.ndarray]) -> float:
    """R_as, the attention shift distance.

    ``(exp(3 d) - 1) / (exp(3) - 1)`` with d the mean over regions of the mean distance of the attention centres within
    the region's radius from its centre, in radii; 1 for a region without such a centre of attention.

    Args:
        centres: (P, 2), see `attention_centres`.
        regions: as in `indicators`.
    """
    shifts = []
    for distances, radius, _ in _near(centres, regions):
        shifts.append(distances.mean() / radius if len(distances) else 1.0)
    return float(np.expm1(SHIFT_BETA * np.mean(shifts)) / np.expm1(SHIFT_BETA))


def discrete_attention(centres: np.ndarray, regions: Sequence[np.ndarray]) -> float:
    """R_da, the discrete attention distance: whether attention rests on one point of each region.

    The mean over regions of: 0 without a centre of attention within the radius, 1 with one, and for K of them
    ``(1 - s) / 2 + exp(-(K + 2) / 2)``, with s their mean distance from their middle in radii. Arguments as in
    `attention_shift`.
    """
    values = []
    for distances, radius, near in _near(centres, regions):
        count = len(distances)
        if count < 2:
            values.append(float(count))
        else:
            spread = np.linalg.norm(near - near.mean(axis=0), axis=1).mean() / radius
            values.append(0.5 * (1 - spread) + np.exp(-ETA * (count + 2)))
    return float(np.mean(values))


def _near(centres: np.ndarray, regions: Sequence[np.ndarray]) -> list[tuple[np.ndarray, float, np.ndarray]]:
    """For each region the distances of the centres of attention within its radius, the radius, and these centres."""
    if not len(regions):
        raise DataError('there are no regions; name at least one')
    found = []
    for region in regions:
        corners = np.asarray(region, np.float64)
        middle = corners.mean(axis=0)
        radius = RADIUS * np.linalg.norm(corners - middle, axis=1).mean()
        distances = np.linalg.norm(centres - middle, axis=1)
        is_near = distances <= radius
        found.append((distances[is_near], float(radius), centres[is_near]))
    return found
