"""Bytes of an image file -> (H, W, C) bands as they are stored, red first."""

from __future__ import annotations

import cv2
import numpy as np

from ..errors import DataError
from .tiff_files import is_tiff, read_tiff


def read_bands(content: bytes) -> np.ndarray:
    """JPEG, PNG, WebP, TIFF -> (H, W, C) uint8, or the type that a PNG or TIFF file stores.

    JPEG, WebP and 8-bit PNG have three bands whatever they store, as mmcv's ``LoadImageFromFile`` reads them: grey is
    repeated, transparency is left out, the orientation of EXIF is applied. 16-bit PNG and TIFF keep their bands.

    Raises:
        DataError: the content cannot be decoded; the sentence is to follow the name of the file.
    """
    if is_tiff(content):
        return read_tiff(content)
    if not content:
        raise DataError('it is empty')
    flag = cv2.IMREAD_UNCHANGED if _is_deep_png(content) else cv2.IMREAD_COLOR
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), flag)
    except cv2.error as error:
        raise DataError(f'OpenCV cannot decode it ({error.err})') from error
    if image is None:
        raise DataError('it is no image that OpenCV knows')
    if image.ndim == 2:
        return image[..., None]
    return image[..., [2, 1, 0, *range(3, image.shape[2])]]  # as OpenCV has it, blue first -> red first


def _is_deep_png(content: bytes) -> bool:
    """16 bits a band: byte 24 of a PNG file, in its header chunk."""
    return content[:8] == b'\x89PNG\r\n\x1a\n' and content[24:25] == b'\x10'
