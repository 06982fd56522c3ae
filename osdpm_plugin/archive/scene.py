"""An open raster and how its pixels are to be seen -> strips of 8-bit colours, with where they hold data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, NamedTuple, Optional, Sequence

import numpy as np

from ..datasets.images.band_stretch import (
    Stretch,
    between_limits,
    choose_bands,
    is_measured,
    stretch_limits,
    to_uint8,
)
from ..datasets.images.raster import together, without_data
from .raster_file import RasterFile

OVERVIEW = 1024  # pixels of the longer side from which the limits of a stretch are taken
Limits = tuple[Optional[tuple[float, float]], ...]


@dataclass(frozen=True)
class PixelRule:
    """How values become colours; the meaning of `LoadRemoteSensingImage`, but with one stretch for a whole scene.

    Attributes:
        bands: positions of red, green and blue, from 0; None: the first three, or one as grey.
        stretch: for values that are not 8-bit.
        nodata: value that stands for no data, besides what the file says.
    """

    bands: Optional[tuple[int, ...]] = None
    stretch: Stretch = 'percentile'
    nodata: Optional[float] = None

    @classmethod
    def of(cls, maker: Mapping[str, Any]) -> PixelRule:
        """The rule of an archive."""
        values = maker['pixels']
        return cls(**{**values, 'bands': None if values['bands'] is None else tuple(values['bands'])})


class Strip(NamedTuple):
    """Some rows of a scene.

    Attributes:
        colours: (h, w, 3) uint8, red first, 0 where there is no data.
        valid: (h, w) bool, whether there is data.
    """

    colours: np.ndarray
    valid: np.ndarray


def find_limits(raster: RasterFile, rule: PixelRule) -> Optional[Limits]:
    """The limits of the stretch of each of the three bands, from an overview; None for pixels that are not stretched.

    Raises:
        DataError: the file lacks the bands or cannot be read, or ``none`` is asked of what is not 8 or 16 bits.
    """
    height, width = raster.shape
    shrink = max(1.0, max(height, width) / OVERVIEW)
    shape = (max(1, round(height / shrink)), max(1, round(width / shrink)))
    bands, valid, empty = _seen(raster, rule, (0, 0, height, width), shape)
    if bands.dtype == np.uint8 or rule.stretch == 'none':
        to_uint8(bands[:1, :1], rule.stretch)  # raises where it cannot be done
        return None
    limits = []
    for band in range(3):
        values = bands[..., band]
        kept = valid & is_measured(values) & (True if empty is None else ~empty[..., band])
        limits.append(stretch_limits(values[kept].astype(np.float64), rule.stretch))
    return tuple(limits)


def read_strip(
    raster: RasterFile,
    rule: PixelRule,
    limits: Optional[Limits],
    window: Sequence[int],
    *,
    shape: Optional[tuple[int, int]] = None,
) -> Strip:
    """A window of a scene.

    Args:
        raster: the scene.
        rule: as it was given to `find_limits`.
        limits: what that found.
        window: row, column, height, width.
        shape: as in `RasterFile.read`.

    Raises:
        DataError: the file is damaged.
    """
    bands, valid, empty = _seen(raster, rule, tuple(window), shape)  # type: ignore[arg-type]
    if limits is None:
        colours = to_uint8(bands, rule.stretch)
    else:
        colours = np.zeros(bands.shape, np.uint8)
        for band, band_limits in enumerate(limits):
            if band_limits is not None:
                values = bands[..., band].astype(np.float64)
                values = np.where(is_measured(values), values, band_limits[0])
                colours[..., band] = between_limits(values, band_limits)
        if empty is not None:
            colours[empty] = 0
    return Strip(np.where(valid[..., None], colours, np.uint8(0)), valid)


def _seen(
    raster: RasterFile, rule: PixelRule, window: tuple[int, int, int, int], shape: Optional[tuple[int, int]]
) -> tuple[np.ndarray, np.ndarray, Optional[np.ndarray]]:
    """The three chosen bands as they are stored, and where there is data.

    Returns:
        Bands (h, w, 3); (h, w) bool, true where at least one of them has data; (h, w, 3) bool, true where a band has
        none, or None if all have.
    """
    stored, valid = raster.read(window, shape=shape)
    bands = choose_bands(stored, rule.bands)
    empty = together(*(without_data(bands, value) for value in (raster.nodata, rule.nodata)))
    if empty is not None:
        valid = valid & ~empty.all(axis=2)
    if bands.dtype.kind == 'f':
        valid = valid & is_measured(bands).any(axis=2)
    return bands, valid, empty
