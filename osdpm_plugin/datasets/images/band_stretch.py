"""Bands of any number and depth -> the three 8-bit bands that a tower sees."""

from __future__ import annotations

from typing import Literal, Optional, Sequence

import numpy as np

from ...errors import DataError
from .raster import Raster

Stretch = Literal['minmax', 'percentile', 'none']
PERCENTILES = (2, 98)
"""The cumulative count cut that QGIS draws rasters with by default."""
_NO_MEASUREMENT = 1e38
"""Borders without data are often filled with the smallest real number, -3.4e38; nothing that is measured comes near."""


def choose_bands(image: np.ndarray, bands: Optional[Sequence[int]]) -> np.ndarray:
    """(H, W, C) -> (H, W, 3): red, green, blue.

    Args:
        image: bands in the order of the file.
        bands: positions of red, green and blue, from 0, e.g. ``(3, 2, 1)`` for the 12 or 13 bands of Sentinel-2. None:
            one band is grey and is used three times; of three or more the first three are red, green and blue.

    Raises:
        DataError: two bands and no choice, or a position that the image does not have.
    """
    count = image.shape[2]
    if bands is None:
        if count == 2:
            raise DataError('it has 2 bands; say which are red, green and blue, e.g. bands=(0, 1, 0)')
        if count >= 3:
            return image[..., :3]  # no copy
        bands = (0, 0, 0)
    if max(bands) >= count:
        raise DataError(f'it has {count} bands, numbered from 0, so bands={tuple(bands)} cannot be taken')
    return image[..., list(bands)]


def to_uint8(image: np.ndarray, stretch: Stretch, empty: Optional[np.ndarray] = None) -> np.ndarray:
    """(H, W, C) of any type -> (H, W, C) uint8.

    8-bit images are returned as they are, since they were made for viewing. Others are stretched band by band:

    - ``minmax``: the smallest value becomes 0, the largest 255;
    - ``percentile``: the same with the 2nd and 98th percentile; values beyond are clipped; if the two are equal,
      as for small bright objects on empty ground, the band is stretched by ``minmax``;
    - ``none``: for uint16 only: the upper 8 bits, so that images stay comparable with one another.

    A constant band becomes 0. So do values that are no data, not finite or
    beyond 1e38; they do not count for the limits.

    Args:
        image: bands.
        stretch: see above.
        empty: (H, W, C) bool, true where there is no data. At 8 bits a pixel becomes 0 where all bands are without,
            since single bands of bright pixels may well have the value that stands for it.

    Raises:
        DataError: ``none`` for an image that is neither 8-bit nor uint16.
    """
    if image.dtype == bool:
        image = image.astype(np.uint8) * np.uint8(255)
    if image.dtype == np.uint8:
        return image if empty is None else np.where(empty.all(axis=2, keepdims=True), np.uint8(0), image)
    if stretch == 'none':
        if image.dtype != np.uint16:
            raise DataError(f"its values are {image.dtype}, which has no natural range; choose stretch='percentile'")
        upper = (image >> 8).astype(np.uint8)
        return upper if empty is None else np.where(empty, np.uint8(0), upper)
    out = np.zeros(image.shape, np.uint8)
    for band in range(image.shape[2]):
        values = image[..., band].astype(np.float64)
        valid = is_measured(values)
        if empty is not None:
            valid &= ~empty[..., band]
        limits = stretch_limits(values[valid], stretch)
        if limits is not None:
            out[..., band] = between_limits(np.where(valid, values, limits[0]), limits)
    return out


def is_measured(values: np.ndarray) -> np.ndarray:
    """Where real numbers can be data: false for NaN, infinity and what fills borders."""
    return np.abs(values) < _NO_MEASUREMENT


def stretch_limits(values: np.ndarray, stretch: Stretch) -> Optional[tuple[float, float]]:
    """The values of a band that become 0 and 255; None if there are no values, or all are equal.

    Args:
        values: (n,) those that are data.
        stretch: ``minmax`` or ``percentile``, see `to_uint8`.
    """
    if not values.size:
        return None
    extremes = float(values.min()), float(values.max())
    low, high = extremes if stretch == 'minmax' else (float(v) for v in np.percentile(values, PERCENTILES))
    if low == high:
        low, high = extremes
    return (low, high) if high > low else None


def between_limits(values: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    """Real numbers -> uint8, 0 at the lower limit and 255 at the upper one, clipped beyond."""
    low, high = limits
    return np.floor((values.clip(low, high) - low) / (high - low) * 255 + 0.5).astype(np.uint8)


def to_rgb8(raster: Raster, bands: Optional[Sequence[int]], stretch: Stretch) -> np.ndarray:
    """Bands of a file -> (H, W, 3) uint8, red first, see `choose_bands` and `to_uint8`.

    Raises:
        DataError: as those two.
    """
    chosen = choose_bands(raster.bands, bands)
    return to_uint8(chosen, stretch, None if raster.empty is None else choose_bands(raster.empty, bands))
