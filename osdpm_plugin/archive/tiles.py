"""A unit of work -> its tiles in order, as 8-bit colours, with the share of each that holds no data."""

from __future__ import annotations

import contextlib
from typing import Iterator, NamedTuple, Optional

import numpy as np

from ..errors import DataError
from .raster_file import RasterFile, open_raster
from .records import SceneRecord
from .scene import PixelRule, read_strip


class Tile(NamedTuple):
    """One tile.

    Attributes:
        window: (4,) row, column, height, width in pixels of the scene.
        colours: (h, w, 3) uint8, red first.
        nodata: share of pixels without data, 0 to 1.
    """

    window: np.ndarray
    colours: np.ndarray
    nodata: float


def tiles_of(record: SceneRecord, unit: int, rule: PixelRule, *, assume_crs: Optional[str] = None) -> Iterator[Tile]:
    """All tiles of a unit, those without data too.

    Pixels are read by strips, one row of tiles high, so that tiles which overlap are decoded together.

    Args:
        record: the scene.
        unit: from 0.
        rule: of the pixels of the archive.
        assume_crs: as in `open_raster`.

    Raises:
        DataError: the scene or its mask cannot be read.
    """
    layout = record.layout
    first = unit * record.rows_of_a_unit
    with contextlib.ExitStack() as stack:
        raster = stack.enter_context(open_raster(record.source, assume_crs=assume_crs))
        if raster.shape != record.shape:
            raise DataError('it has another size than when its tiles were laid out; build again')
        mask = None if record.mask is None else stack.enter_context(open_raster(record.mask, assume_crs=assume_crs))
        for row in layout.rows[first : first + record.rows_of_a_unit]:
            window = (row, 0, layout.height, record.shape[1])
            strip = read_strip(raster, rule, record.limits, window)
            valid = strip.valid if mask is None else strip.valid & ~_hidden(mask, record.shape, window)
            colours = strip.colours if mask is None else np.where(valid[..., None], strip.colours, np.uint8(0))
            for column in layout.columns:
                part = slice(column, column + layout.width)
                yield Tile(
                    np.array([row, column, layout.height, layout.width], np.int32),
                    colours[:, part],
                    1.0 - float(valid[:, part].mean()),
                )


def _hidden(mask: RasterFile, shape: tuple[int, int], window: tuple[int, int, int, int]) -> np.ndarray:
    """(h, w) bool: where the mask of a scene is not 0; it may have other pixels than the scene."""
    row, column, height, width = window
    down, across = mask.shape[0] / shape[0], mask.shape[1] / shape[1]
    place = (row * down, column * across, height * down, width * across)
    values, valid = mask.read(place, shape=(height, width))
    return (values[..., 0] != 0) & valid
