"""Pixels of a scene -> a file with georeference, date and layout of its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import rasterio

from .four_bands import NAMES, NO_DATA, four_bands
from .places import Place

_BLOCK = 256
_TILED = dict(driver='GTiff', tiled=True, blockxsize=_BLOCK, blockysize=_BLOCK)
_DEFLATE = dict(_TILED, interleave='pixel', compress='deflate', predictor=2, zlevel=1)
LAYOUTS: dict[str, dict[str, Any]] = {
    'deflate': _DEFLATE,
    'jpeg': dict(_TILED, interleave='pixel', compress='jpeg', jpeg_quality=90, photometric='ycbcr'),
    'cog': dict(driver='COG', blocksize=_BLOCK, compress='deflate', predictor=2, level=1),
    'four_bands': dict(_DEFLATE, interleave='band', nodata=NO_DATA),
}


def write_scene(folder: Path, place: Place, pixels: np.ndarray) -> None:
    """Write the file of a place.

    Args:
        folder: of the file.
        place: its ``layout`` is ``deflate`` or ``jpeg`` (tiled GeoTIFFs), ``cog`` (with overviews), ``four_bands`` (see
            `four_bands`) or ``photo`` (a JPEG without georeference).
        pixels: (size, size, 3) uint8 RGB.
    """
    path = folder / place.file
    if place.layout == 'photo':
        done, data = cv2.imencode('.jpg', pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])
        if not done:
            raise RuntimeError(f'{path} could not be encoded')
        path.write_bytes(data.tobytes())
        return
    bands = four_bands(pixels) if place.layout == 'four_bands' else np.moveaxis(pixels, -1, 0)
    count, height, width = bands.shape
    shape = dict(count=count, height=height, width=width, dtype=bands.dtype.name)
    with rasterio.open(path, 'w', crs=place.crs, transform=place.grid(width), **shape, **LAYOUTS[place.layout]) as file:
        file.write(bands)
        if count == len(NAMES):
            file.descriptions = NAMES
        if place.dated == 'tag':
            file.update_tags(TIFFTAG_DATETIME=place.time.replace('-', ':').replace('T', ' '))
