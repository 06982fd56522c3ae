"""Shape and resolution of a scene -> windows of its tiles. Pure functions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Optional

import numpy as np

from ..errors import ConfigError, DataError
from ..utils.checks import check_int, check_number

LEAST_PIXELS = 8  # a tile of fewer shows nothing


class Layout(NamedTuple):
    """The tiles of a scene: every row crossed with every column.

    Attributes:
        height: pixels.
        width: pixels.
        rows: first pixel row of each row of tiles.
        columns: first pixel column of each column of tiles.
    """

    height: int
    width: int
    rows: tuple[int, ...]
    columns: tuple[int, ...]

    def windows(self, first: int, last: int) -> np.ndarray:
        """(N, 4) int32 row, column, height, width of the tiles of the tile rows ``first`` to ``last`` - 1."""
        rows, columns = np.meshgrid(self.rows[first:last], self.columns, indexing='ij')
        sides = (np.full(rows.size, self.height), np.full(rows.size, self.width))
        return np.stack([rows.ravel(), columns.ravel(), *sides], axis=1).astype(np.int32)


@dataclass(frozen=True)
class TileGrid:
    """How scenes are cut.

    Attributes:
        tile: side in pixels; not with ``metres``.
        stride: pixels from a tile to the next; None: half a tile, so that what one tile cuts is whole in another.
        metres: side on the ground, so that scenes of different resolution look alike.
        stride_metres: metres from a tile to the next; None: half of ``metres``.
        max_nodata: share of pixels without data, 0 to 1, above which a tile is skipped.

    Raises:
        ConfigError: a value is out of range, or sides in pixels and in metres are mixed.
    """

    tile: Optional[int] = None
    stride: Optional[int] = None
    metres: Optional[float] = None
    stride_metres: Optional[float] = None
    max_nodata: float = 0.5

    def __post_init__(self) -> None:
        in_pixels, in_metres = self.tile is not None, self.metres is not None
        if in_pixels == in_metres or (in_pixels and self.stride_metres) or (in_metres and self.stride):
            raise ConfigError('give the side of tiles and their stride in pixels, or both in metres')
        for name in ('tile', 'stride'):
            if getattr(self, name) is not None:
                check_int('', name, getattr(self, name), least=LEAST_PIXELS if name == 'tile' else 1)
        for name in ('metres', 'stride_metres'):
            if getattr(self, name) is not None:
                check_number('', name, getattr(self, name), above=0)
        check_number('', 'max_nodata', self.max_nodata, least=0, most=1)
        side, stride = (self.tile, self.stride) if in_pixels else (self.metres, self.stride_metres)
        if stride is not None and side is not None and stride > side:
            raise ConfigError(f'a stride of {stride} leaves gaps between tiles of {side}; make it {side} or smaller')

    def layout(self, shape: tuple[int, int], gsd: Optional[tuple[float, float]]) -> Layout:
        """The tiles of a scene. The last row and column end at its edge; a scene smaller than a tile is one tile.

        Args:
            shape: height and width in pixels.
            gsd: metres from a pixel to the next one below and to the right; None without georeference.

        Raises:
            DataError: metres, and the scene has no georeference or is too coarse.
        """
        if self.tile is not None:
            sides = (self.tile, self.tile)
            strides = (self.stride or (self.tile + 1) // 2,) * 2
        else:
            assert self.metres is not None
            if gsd is None:
                raise DataError('it has no georeference, so that metres say nothing; give the side of tiles in pixels')
            step = self.stride_metres or self.metres / 2
            sides = (round(self.metres / gsd[0]), round(self.metres / gsd[1]))
            strides = (max(1, round(step / gsd[0])), max(1, round(step / gsd[1])))
            if min(sides) < LEAST_PIXELS:
                raise DataError(
                    f'its pixels of {max(gsd):.3g} m make a tile of {self.metres:g} m smaller than {LEAST_PIXELS} '
                    'pixels; make tiles larger'
                )
        height, width = (min(side, length) for side, length in zip(sides, shape))
        return Layout(height, width, _starts(shape[0], height, strides[0]), _starts(shape[1], width, strides[1]))


def _starts(length: int, side: int, stride: int) -> tuple[int, ...]:
    """First pixels of tiles that cover a length; the last tile ends at its end."""
    regular = range(0, length - side, stride)
    return (*regular, length - side)
