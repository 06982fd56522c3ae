"""The bands of an image as they are stored, and where they hold no data."""

from __future__ import annotations

from typing import NamedTuple, Optional

import cv2
import numpy as np

from ...errors import DataError

PIXEL_RULE = 2
"""Number of the rules by which files become pixels; kept pixels and embeddings of an older rule are made anew."""
_NEVER_CHANGED = ('.bmp', '.gif', '.jfif', '.jpe', '.jpeg', '.jpg', '.webp')


class Raster(NamedTuple):
    """What is read from a file.

    Attributes:
        bands: (H, W, C) of any real type, in the order of the file, but red first where the file has colours.
        empty: (H, W, C) bool, true where there is no data; None if there is data everywhere.
    """

    bands: np.ndarray
    empty: Optional[np.ndarray] = None


def pixel_rule(name: str) -> int:
    """`PIXEL_RULE` for files of this name; 1 for formats of 8 bits, whose pixels no rule has changed."""
    return 1 if name.lower().endswith(_NEVER_CHANGED) else PIXEL_RULE


def without_data(bands: np.ndarray, nodata: Optional[float]) -> Optional[np.ndarray]:
    """(H, W, C) -> (H, W, C) bool, true where a value is the one that stands for no data; None if none is.

    Real numbers may differ by 2 millionths, since files write the value as rounded text: -3.40282e+38 means the
    smallest number of 32 bits. Of complex numbers the real part counts, as GDAL has it.

    Args:
        bands: of any type.
        nodata: the value; None or NaN names none, since what is not finite never counts as data.
    """
    if nodata is None or not np.isfinite(nodata):
        return None
    values = bands.real if bands.dtype.kind == 'c' else bands
    if values.dtype.kind in 'fc':
        half = 2e-6 * abs(nodata)
        with np.errstate(over='ignore'):  # a bound may be beyond float16 and float32
            empty = (values >= values.dtype.type(nodata - half)) & (values <= values.dtype.type(nodata + half))
        empty &= np.isfinite(values)
    elif nodata != int(nodata) or values.dtype == bool or not _holds(values.dtype, int(nodata)):
        return None
    else:
        empty = values == values.dtype.type(int(nodata))
    return empty if empty.any() else None


def together(*masks: Optional[np.ndarray]) -> Optional[np.ndarray]:
    """Masks of no data, of which any may be None, as one."""
    present = [mask for mask in masks if mask is not None]
    return np.logical_or.reduce(present) if present else None


def hidden_by(alpha: np.ndarray, bands: np.ndarray) -> Optional[np.ndarray]:
    """An alpha band (H, W), or a mask of what is shown -> (H, W, C) bool, true where it is 0; None if nowhere."""
    hidden = alpha == 0
    return np.broadcast_to(hidden[..., None], bands.shape) if hidden.any() else None


def upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """(H, W, ...) as stored -> as it is to be seen, by the number that TIFF and EXIF call Orientation."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels


def negative(bands: np.ndarray) -> np.ndarray:
    """Bands in which the smallest value is white -> those in which it is black."""
    return -bands if bands.dtype.kind == 'f' else ~bands  # ~ of unsigned bits: the largest value minus this one


def _holds(kind: np.dtype, value: int) -> bool:
    limits = np.iinfo(kind)
    return limits.min <= value <= limits.max


def decode(content: bytes, flag: int, *, unknown: str) -> np.ndarray:
    """The pixels that OpenCV reads, (H, W) or (H, W, C) blue first.

    Args:
        content: of an image file.
        flag: of ``cv2.imdecode``.
        unknown: what to say of content that OpenCV does not know.

    Raises:
        DataError: it cannot be decoded.
    """
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), flag)
    except cv2.error as error:
        raise DataError(f'OpenCV cannot decode it ({error.err})') from error
    if image is None:
        raise DataError(unknown)
    return image
