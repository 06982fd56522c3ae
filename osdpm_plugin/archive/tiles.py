"""A unit of work -> its tiles in order, as 8-bit colours, with the share of each that holds no data."""

from __future__ import annotations

import contextlib
from typing import Iterator, NamedTuple, Optional, Sequence

import numpy as np

from ..errors import DataError
from .raster_file import RasterFile, open_raster
from .records import SceneRecord
from .scene import PixelRule, Strip, read_strip


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


def tiles_of(record: SceneRecord, unit: int, rule: PixelRule) -> Iterator[Tile]:
    """All tiles of a unit, those without data too.

    Pixels are read by strips, one row of tiles high, so that tiles which overlap are decoded together.

    Args:
        record: the scene.
        unit: from 0.
        rule: of the pixels of the archive.

    Raises:
        DataError: the scene or its mask cannot be read.
    """
    layout = record.layout
    first = unit * record.rows_of_a_unit
    with open_scene(record, rule) as scene:
        for row in layout.rows[first : first + record.rows_of_a_unit]:
            strip = scene.read((row, 0, layout.height, record.shape[1]))
            for column in layout.columns:
                part = slice(column, column + layout.width)
                yield Tile(
                    np.array([row, column, layout.height, layout.width], np.int32),
                    strip.colours[:, part],
                    1.0 - float(strip.valid[:, part].mean()),
                )


class OpenScene:
    """A scene whose pixels are read as they were when its record was made."""

    def __init__(self, record: SceneRecord, rule: PixelRule, raster: RasterFile, mask: Optional[RasterFile]) -> None:
        self._record, self._rule, self._raster, self._mask = record, rule, raster, mask

    def read(self, window: Sequence[int], *, shape: Optional[tuple[int, int]] = None) -> Strip:
        """Colours of a window, and where there is data that the mask does not hide.

        Args:
            window: row, column, height, width.
            shape: as in `RasterFile.read`.

        Raises:
            DataError: the scene or its mask is damaged.
        """
        strip = read_strip(self._raster, self._rule, self._record.limits, window, shape=shape)
        if self._mask is None:
            return strip
        valid = strip.valid & ~self._hidden(self._mask, window, strip.valid.shape)
        return Strip(np.where(valid[..., None], strip.colours, np.uint8(0)), valid)

    def _hidden(self, mask: RasterFile, window: Sequence[int], shape: tuple[int, ...]) -> np.ndarray:
        """(h, w) bool: where the mask is not 0; it may have other pixels than the scene."""
        down, across = (own / whole for own, whole in zip(mask.shape, self._record.shape))
        row, column, height, width = window
        place = (row * down, column * across, height * down, width * across)
        values, valid = mask.read(place, shape=shape)  # type: ignore[arg-type]
        return (values[..., 0] != 0) & valid


@contextlib.contextmanager
def open_scene(record: SceneRecord, rule: PixelRule) -> Iterator[OpenScene]:
    """Open a scene and its mask.

    Raises:
        DataError: one of them cannot be opened, or the scene has another size than its record says.
    """
    with contextlib.ExitStack() as stack:
        raster = stack.enter_context(open_raster(record.source))
        if raster.shape != record.shape:
            raise DataError('it has another size than when its tiles were laid out; build again')
        mask = None if record.mask is None else stack.enter_context(open_raster(record.mask))
        yield OpenScene(record, rule, raster, mask)
