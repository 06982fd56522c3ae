"""Bytes of an image file -> (H, W, C) bands as they are stored, red first."""

from __future__ import annotations

import cv2
import numpy as np

from ...errors import DataError
from .tiff_files import is_tiff, read_tiff


def read_bands(content: bytes) -> np.ndarray:
    """JPEG, PNG, WebP, TIFF -> (H, W, C) uint8, or the type that a PNG or TIFF file stores.

    JPEG, PNG and WebP are read as mmcv's ``LoadImageFromFile`` reads them: transparency is dropped, the orientation of
    EXIF is applied, grey is repeated. But PNG of 16 bits keeps its depth, and has one band if it is grey; TIFF keeps
    its bands.

    Raises:
        DataError: the content cannot be decoded; the caller puts the name of the file before the sentence.
    """
    if is_tiff(content):
        return read_tiff(content)
    if not content:
        raise DataError('it is empty')
    check_jpeg_end(content)
    flag = cv2.IMREAD_ANYDEPTH | cv2.IMREAD_ANYCOLOR if is_deep_png(content) else cv2.IMREAD_COLOR
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), flag)
    except cv2.error as error:
        raise DataError(f'OpenCV cannot decode it ({error.err})') from error
    if image is None:
        raise DataError('it is no image that OpenCV knows')
    return image[..., None] if image.ndim == 2 else image[..., ::-1]  # blue first (OpenCV) -> red first


def is_jpeg(content: bytes) -> bool:
    """Whether a file that begins with these bytes is JPEG."""
    return content[:2] == b'\xff\xd8'


def is_deep_png(content: bytes) -> bool:
    """Whether this is PNG of 16 bits a band: byte 24, in its header chunk."""
    return content[:8] == b'\x89PNG\r\n\x1a\n' and content[24:25] == b'\x10'


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
