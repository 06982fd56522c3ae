"""Bytes of a TIFF file -> (H, W, C) bands as they are stored.

OpenCV and Pillow read TIFF files of some layouts wrongly without an error: OpenCV returns the first of several grey
bands, shuffles 16-bit bands that are stored one after the other and multiplies colours by alpha; Pillow cuts 16-bit
colours to 8 bits. So the layout decides the reader: OpenCV for what it reads correctly, tifffile for the rest.
"""

from __future__ import annotations

import io
from typing import Any, NamedTuple

import cv2
import numpy as np
from PIL import Image, TiffImagePlugin

from ...errors import DataError

_MAGIC = (b'II*\0', b'MM\0*', b'II+\0', b'MM\0+')
_RGB, _PALETTE, _CMYK, _YCBCR = 2, 3, 5, 6


class TiffLayout(NamedTuple):
    """The TIFF 6.0 tags that decide how the first image of a file must be read."""

    bits: int
    samples: int
    sample_format: int
    photometric: int
    planar: int
    alpha: bool

    @property
    def is_ordinary(self) -> bool:
        """8-bit grey, palette or colour without a fourth band: what any viewer shows."""
        colour = self.photometric in (_RGB, _YCBCR)
        return self.bits == 8 and self.sample_format == 1 and self.samples == (3 if colour else 1)

    @property
    def opencv_keeps_bands(self) -> bool:
        """8 or 16-bit grey, colour or colour and one more band, in an order that OpenCV keeps."""
        if self.bits not in (8, 16) or self.sample_format != 1 or self.alpha:
            return False
        if self.samples == 1:
            return self.photometric in (0, 1)
        return self.photometric == _RGB and self.samples in (3, 4) and (self.bits == 8 or self.planar == 1)


def is_tiff(head: bytes) -> bool:
    """Whether a file that begins with these bytes is TIFF or BigTIFF."""
    return head[:4] in _MAGIC


def tiff_layout(content: bytes) -> TiffLayout:
    """Read the tags of the first image.

    Raises:
        DataError: the tags cannot be read.
    """
    try:
        file = io.BytesIO(content)
        header = file.read(16 if content[:4] in _MAGIC[2:] else 8)
        tags = TiffImagePlugin.ImageFileDirectory_v2(header)
        file.seek(tags.next)
        tags.load(file)
        bits = tags.get(258, 1)
        bits = set(bits) if isinstance(bits, tuple) else {bits}
        formats = tags.get(339, 1)
        formats = set(formats) if isinstance(formats, tuple) else {formats}
        extra: Any = tags.get(338, ())
        return TiffLayout(
            bits=int(max(bits)) if len(bits) == 1 else 0,
            samples=int(tags.get(277, 1)),
            sample_format=int(max(formats)) if len(formats) == 1 else 0,
            photometric=int(tags.get(262, 1)),
            planar=int(tags.get(284, 1)),
            alpha=2 in (extra if isinstance(extra, tuple) else (extra,)),
        )
    except Exception as error:  # noqa: BLE001, damaged tags raise many types
        raise DataError(f'its TIFF tags cannot be read ({error})') from error


def read_tiff(content: bytes) -> np.ndarray:
    """Bytes -> (H, W, C) in the order of the file; the first image of several. The inks of CMYK become RGB.

    Raises:
        DataError: it cannot be decoded, or needs a package that is not installed.
    """
    layout = tiff_layout(content)
    if layout.is_ordinary or layout.opencv_keeps_bands:
        ordinary = layout.is_ordinary and layout.samples == 3 or layout.photometric == _PALETTE
        image = _opencv(content, cv2.IMREAD_COLOR if ordinary else cv2.IMREAD_UNCHANGED)
        if image.ndim == 2:
            return image[..., None]
        return image[..., ::-1] if image.shape[2] == 3 else image[..., [2, 1, 0, 3]]
    if layout.photometric == _CMYK and (layout.bits, layout.samples) != (8, 4):
        raise DataError(
            f'TIFF of printing inks of {layout.samples} bands of {layout.bits} bits cannot be read; save it as RGB'
        )
    if layout.photometric == _CMYK or layout.bits < 8 and layout.samples == 1:
        return _pillow(content)
    return _tifffile(content, layout)


def _opencv(content: bytes, flag: int) -> np.ndarray:
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), flag)
    except cv2.error as error:
        raise DataError(f'OpenCV cannot decode it ({error.err})') from error
    if image is None:
        raise DataError('OpenCV cannot decode it')
    return image


def _pillow(content: bytes) -> np.ndarray:
    try:
        with Image.open(io.BytesIO(content)) as image:
            return np.asarray(image.convert('RGB'))
    except Exception as error:  # noqa: BLE001, Pillow's decoders raise many types
        raise DataError(f'Pillow cannot decode it ({error})') from error


def _tifffile(content: bytes, layout: TiffLayout) -> np.ndarray:
    what = f'TIFF of {layout.samples} bands of {layout.bits} bits'
    try:
        import tifffile
    except ImportError:
        raise DataError(f'{what} is read by tifffile, which is not installed; pip install tifffile') from None
    try:
        with tifffile.TiffFile(io.BytesIO(content)) as file:
            page: Any = file.pages[0]
            image, axes = page.asarray(), page.axes
    except Exception as error:  # noqa: BLE001, damaged files raise many types
        if 'imagecodecs' in str(error):
            raise DataError(f'{what} is compressed in a way that needs imagecodecs; pip install imagecodecs') from error
        raise DataError(f'{what} cannot be decoded ({error})') from error
    if axes == 'YX':
        return image[..., None]
    if axes == 'SYX':
        return np.moveaxis(image, 0, -1)
    if axes == 'YXS':
        return image
    raise DataError(f'{what} has the axes {axes}; only flat images of bands can be read')
