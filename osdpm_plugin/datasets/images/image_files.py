"""Bytes of an image file -> (H, W, C) bands as they are stored, red first, and where they hold no data."""

from __future__ import annotations

import io
from typing import Optional

import cv2
import numpy as np
from PIL import Image

from ...errors import DataError
from .deep_files import Depth, depth_of
from .raster import Raster, decode, hidden_by, together, upright, without_data
from .tiff_files import is_tiff, read_tiff


def read_raster(content: bytes, nodata: Optional[float] = None) -> Raster:
    """JPEG, PNG, WebP, AVIF, GIF, BMP, PGM, PPM, JPEG 2000, TIFF -> bands of uint8, or of the type that a file stores.

    Images of 8 bits are read as mmcv's ``LoadImageFromFile`` reads them: transparency is dropped, the orientation of
    EXIF is applied, grey is repeated. But what is deeper keeps its depth, and has one band if it is grey; where its
    transparency is 0, there is no data. TIFF keeps its bands, see `read_tiff`.

    Args:
        content: of the file.
        nodata: the value that stands for no data, in place of the one that a TIFF file names.

    Raises:
        DataError: the content cannot be decoded; the caller puts the name of the file before the sentence.
    """
    if is_tiff(content):
        return read_tiff(content, nodata)
    if not content:
        raise DataError('it is empty')
    check_jpeg_end(content)
    depth = depth_of(content)
    if depth is None or not depth.is_deep and not depth.is_bare and (depth.samples or 0) < 4:
        bands, hidden = _decode(content, cv2.IMREAD_COLOR), None
        if depth is not None and depth.largest is not None and depth.largest < 255:
            bands = (bands.astype(np.uint16).clip(0, depth.largest) * 255 // depth.largest).astype(np.uint8)
    else:
        bands, hidden = _read_deep(content, depth)
    return Raster(bands, together(hidden, without_data(bands, nodata)))


def _read_deep(content: bytes, depth: Depth) -> tuple[np.ndarray, Optional[np.ndarray]]:
    """Bands, and where they hold no data."""
    if depth.name == 'PNG' and depth.alpha is None:
        return _decode(content, cv2.IMREAD_ANYDEPTH | cv2.IMREAD_ANYCOLOR), None
    bands = _decode(content, cv2.IMREAD_UNCHANGED)
    if depth.name != 'PNG':
        is_alpha = depth.alpha is not None and depth.alpha < bands.shape[2]
        return bands, hidden_by(bands[..., depth.alpha], bands) if is_alpha else None
    colours = bands[..., : 1 if depth.alpha == 1 else 3]
    hidden = hidden_by(bands[..., 3], colours) if bands.shape[2] == 4 else None
    orientation = _orientation(content)
    return upright(colours, orientation), None if hidden is None else upright(hidden, orientation)


def _decode(content: bytes, flag: int) -> np.ndarray:
    image = decode(content, flag, unknown='it is no image that OpenCV knows')
    if image.ndim == 2:
        return image[..., None]
    return image[..., [2, 1, 0, 3]] if image.shape[2] == 4 else image[..., ::-1]  # blue first -> red first


def _orientation(content: bytes) -> int:
    """The number in the EXIF part of a PNG file; 1 without one."""
    try:
        with Image.open(io.BytesIO(content)) as image:
            return int(image.getexif().get(0x0112, 1))
    except Exception:  # noqa: BLE001, OpenCV has read it, so that only this part can be damaged
        return 1


def is_jpeg(content: bytes) -> bool:
    """Whether a file that begins with these bytes is JPEG."""
    return content[:2] == b'\xff\xd8'


def check_jpeg_end(content: bytes) -> None:
    """Look for the end marker of a JPEG after its first scan; other files pass.

    OpenCV before 5 pads a JPEG that ends early with grey, without an error. The marker cannot occur within the data of
    a scan; the segments before it, which may hold a whole thumbnail, are skipped.

    Raises:
        DataError: there is none, so rows are missing; the caller puts the name of the file before the sentence.
    """
    if not is_jpeg(content) or content.endswith(b'\xff\xd9'):
        return
    place = 2
    while content[place : place + 1] == b'\xff' and content[place + 1 : place + 2] != b'\xda':
        fill = content[place + 1 : place + 2] == b'\xff'
        place += 1 if fill else 2 + int.from_bytes(content[place + 2 : place + 4], 'big')
    if content.find(b'\xff\xd9', place) < 0:
        raise DataError('the JPEG ends early')
