"""Bytes of a TIFF file -> (H, W, C) bands as they are stored, and where they hold no data.

OpenCV and Pillow read TIFF files of some layouts wrongly without an error: OpenCV returns the first of several grey
bands, shuffles 16-bit bands that are stored one after the other and multiplies colours by alpha; Pillow cuts 16-bit
colours to 8 bits. So the layout decides the reader: OpenCV for what it reads correctly, tifffile for the rest, Pillow
for compressions that the others lack. Which page is read, upside up and black on white are decided here for all.
"""

from __future__ import annotations

import io
from typing import Any, NamedTuple, Optional

import cv2
import numpy as np
from PIL import Image

from ...errors import DataError
from . import tiff_tags as tag
from .raster import Raster, decode, hidden_by, negative, together, upright, without_data
from .tiff_tags import Directory, first_page, is_tiff, pages_of

__all__ = ['TiffLayout', 'is_tiff', 'read_tiff', 'tiff_layout']

_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _MASK, _CMYK, _YCBCR = range(7)
_COMPRESSIONS = {
    **{2: 'CCITT', 3: 'CCITT', 4: 'CCITT', 6: 'old JPEG', 33003: 'JPEG 2000', 33005: 'JPEG 2000', 34712: 'JPEG 2000'},
    **{34887: 'LERC', 34892: 'JPEG', 34925: 'LZMA', 34933: 'PNG', 50000: 'ZSTD', 50001: 'WebP', 50002: 'JPEG XL'},
    **{1: 'nothing', 5: 'LZW', 7: 'JPEG', 8: 'DEFLATE', 32773: 'PackBits', 32946: 'DEFLATE'},
}
_COMMON = (1, 5, 7, 8, 32773, 32946)
"""Compressions of every TIFF library."""
_SMALLEST_TILE = 32
"""Edge of the smallest tiles that OpenCV reads at 8 bits."""
_MOST_SHRUNK = 1100
"""Pixels shrink to a thousandth at most by DEFLATE; a file that claims more has none."""
_AMPLITUDE_FORMATS, _COMPLEX_INTEGERS = 6, 5


class TiffLayout(NamedTuple):
    """The TIFF 6.0 tags that decide how a page must be read.

    Attributes:
        bits: of a value; 0 if bands differ.
        samples: bands in the page.
        sample_format: 1 unsigned, 2 signed, 3 real, 5 and 6 complex; 0 if bands differ.
        photometric: what the values mean.
        planar: 1 band by band for each pixel, 2 one band after the other.
        alpha: position of the band of transparency; None without one.
        compression: number of the compression.
        tile: the smaller edge of a tile; None in strips.
        is_first: whether this is the first page, and no other belongs to the image.
    """

    bits: int
    samples: int
    sample_format: int
    photometric: int
    planar: int
    alpha: Optional[int]
    compression: int = 1
    tile: Optional[int] = None
    is_first: bool = True

    @property
    def is_ordinary(self) -> bool:
        """8-bit grey, palette or colour without a fourth band: what any viewer shows."""
        colour = self.photometric in (_RGB, _YCBCR)
        return self.bits == 8 and self.sample_format == 1 and self.samples == (3 if colour else 1)

    @property
    def opencv_keeps_bands(self) -> bool:
        """8 or 16-bit grey, colour or colour and one more band, in an order that OpenCV keeps."""
        if self.bits not in (8, 16) or self.sample_format != 1 or self.alpha is not None:
            return False
        if self.samples == 1:
            return self.photometric in (_WHITE_IS_ZERO, _BLACK_IS_ZERO)
        return self.photometric == _RGB and self.samples in (3, 4) and (self.bits == 8 or self.planar == 1)

    @property
    def opencv_unpacks(self) -> bool:
        """A compression and a size of tiles that OpenCV has."""
        return self.compression in _COMMON and (self.tile is None or self.tile >= _SMALLEST_TILE)

    def __str__(self) -> str:
        return f'TIFF of {self.samples} bands of {self.bits} bits'


def tiff_layout(content: bytes) -> TiffLayout:
    """The layout of the page that is the image, or of the first of those that are its bands.

    Raises:
        DataError: the tags cannot be read, or it cannot be told which page is meant.
    """
    pages = pages_of(content)
    return _layout(pages.image[0])._replace(is_first=pages.is_first)


def _layout(page: Directory) -> TiffLayout:
    bits, formats = set(page.tags.get(tag.BITS, (1,))), set(page.tags.get(tag.SAMPLE_FORMAT, (1,)))
    samples, extra = page.number(tag.SAMPLES, 1), list(page.tags.get(tag.EXTRA, ()))
    alphas = [samples - len(extra) + i for i, meaning in enumerate(extra) if meaning in (1, 2)]
    tiles = [page.number(edge, 0) for edge in (tag.TILE_WIDTH, tag.TILE_HEIGHT) if edge in page.tags]
    return TiffLayout(
        bits=int(max(bits)) if len(bits) == 1 else 0,
        samples=samples,
        sample_format=int(max(formats)) if len(formats) == 1 else 0,
        photometric=page.number(tag.PHOTOMETRIC, 1),
        planar=page.number(tag.PLANAR, 1),
        alpha=alphas[0] if alphas and 0 < alphas[0] < samples else None,
        compression=page.number(tag.COMPRESSION, 1),
        tile=min(tiles) if tiles else None,
    )


def read_tiff(content: bytes, nodata: Optional[float] = None) -> Raster:
    """Bytes -> bands in the order of the file, upside up, the smallest value black. The inks of CMYK become RGB.

    Pages that are reduced copies of another are passed over; pages of one band each and one size are bands together.
    Where GDAL's tag, a mask or an alpha band of 0 say so, there is no data. Of two bands, alpha is left out. Complex
    numbers, as those of radar, become their amplitude.

    Args:
        content: of the file.
        nodata: the value that stands for no data, in place of the file's own.

    Raises:
        DataError: it cannot be decoded, it cannot be told which page is meant, or a package is not installed.
    """
    pages = pages_of(content)
    rasters = [_read_page(content, page, nodata) for page in pages.image]
    bands, empty = rasters[0]
    if len(rasters) > 1:
        masks = [np.zeros(r.bands.shape, bool) if r.empty is None else r.empty for r in rasters]
        if any(r.bands.shape[:2] != bands.shape[:2] for r in rasters):
            raise DataError('TIFF whose pages are bands that are turned differently; save it as one page')
        bands = np.concatenate([r.bands for r in rasters], axis=2)
        empty = together(*[np.concatenate(masks, axis=2)]) if any(m.any() for m in masks) else None
    if pages.mask is not None:
        shown = _read_page(content, pages.mask, None).bands[..., 0]
        if shown.shape == bands.shape[:2]:
            empty = together(empty, hidden_by(shown, bands))
    return Raster(bands, empty)


def _read_page(content: bytes, page: Directory, nodata: Optional[float]) -> Raster:
    layout, orientation = _layout(page), page.number(tag.ORIENTATION, 1)
    width, height = page.size
    size = width * height * layout.samples * max(8, layout.bits) // 8
    if not size or size > max(1 << 28, _MOST_SHRUNK * len(content)):
        raise DataError(f'TIFF of {width} x {height} pixels in {len(content)} bytes is damaged')
    changes = {} if orientation == 1 else {tag.ORIENTATION: 1}
    if layout.photometric in (_WHITE_IS_ZERO, _MASK):
        changes[tag.PHOTOMETRIC] = _BLACK_IS_ZERO
        layout = layout._replace(photometric=_BLACK_IS_ZERO)
    if changes or page.place != int.from_bytes(content[4:8], 'little' if content[:2] == b'II' else 'big'):
        content = first_page(content, page, changes)
    bands = _decode(content, layout)
    if bands.ndim != 3 or bands.shape[:2] != (height, width) or bands.dtype.kind not in 'buifc':
        raise DataError(f'{layout} of {width} x {height} pixels was decoded as {bands.dtype} {bands.shape}')
    nodata = page.nodata if nodata is None else nodata
    if nodata is None or layout.photometric == _CMYK:
        empty = None
    elif layout.photometric == _PALETTE:  # the value is a place in the palette
        empty = _repeated(without_data(_pillow(content, layout, None)[..., None], nodata), bands)
    else:
        empty = without_data(bands, nodata)
    if layout.alpha is not None and layout.alpha < bands.shape[2]:
        empty = together(empty, hidden_by(bands[..., layout.alpha], bands))
        if bands.shape[2] == 2:
            bands, empty = bands[..., :1], None if empty is None else empty[..., :1]
    if bands.dtype.kind == 'c':
        bands = np.abs(bands)
    if page.number(tag.PHOTOMETRIC, 1) == _WHITE_IS_ZERO:
        bands = negative(bands)
    return Raster(upright(bands, orientation), None if empty is None else upright(empty, orientation))


def _repeated(empty: Optional[np.ndarray], bands: np.ndarray) -> Optional[np.ndarray]:
    return None if empty is None else np.broadcast_to(empty, bands.shape)


def _decode(content: bytes, layout: TiffLayout) -> np.ndarray:
    """The first page -> (H, W, C), red first."""
    if layout.photometric == _CMYK and (layout.bits, layout.samples) != (8, 4):
        raise DataError(
            f'TIFF of printing inks of {layout.samples} bands of {layout.bits} bits cannot be read; save it as RGB'
        )
    if layout.photometric > _YCBCR or layout.photometric == _YCBCR and not layout.is_ordinary:
        raise DataError(f'{layout} holds colours of kind {layout.photometric}, which cannot be read; save it as RGB')
    if layout.sample_format == _COMPLEX_INTEGERS:
        raise DataError(
            f'{layout} holds complex integers, which cannot be read; convert it: gdal_translate -ot CFloat32 in.tif '
            'out.tif'
        )
    if (layout.is_ordinary or layout.opencv_keeps_bands) and layout.opencv_unpacks:
        ordinary = layout.is_ordinary and layout.samples == 3 or layout.photometric == _PALETTE
        image = decode(
            content, cv2.IMREAD_COLOR if ordinary else cv2.IMREAD_UNCHANGED, unknown='OpenCV cannot decode it'
        )
        if image.ndim == 2:
            return image[..., None]
        return image[..., ::-1] if image.shape[2] == 3 else image[..., [2, 1, 0, 3]]
    is_grey = layout.is_ordinary and layout.photometric == _BLACK_IS_ZERO
    if layout.photometric == _CMYK or layout.bits < 8 and layout.samples == 1 or layout.is_ordinary:
        image = _pillow(content, layout, 'L' if is_grey else 'RGB')
        return image[..., None] if is_grey else image
    if layout.compression not in _COMMON and layout.samples == 1 and layout.sample_format < _COMPLEX_INTEGERS:
        return _pillow(content, layout, None)[..., None]
    return _tifffile(content, layout)


def _pillow(content: bytes, layout: TiffLayout, mode: Optional[str]) -> np.ndarray:
    try:
        with Image.open(io.BytesIO(content)) as image:
            return np.asarray(image if mode is None else image.convert(mode))
    except Exception as error:  # noqa: BLE001, Pillow's decoders raise many types
        raise _undecodable('Pillow', layout, error) from error


def _tifffile(content: bytes, layout: TiffLayout) -> np.ndarray:
    try:
        import tifffile
    except ImportError:
        raise DataError(f'{layout} is read by tifffile, which is not installed; pip install tifffile') from None
    try:
        with tifffile.TiffFile(io.BytesIO(content)) as file:
            page: Any = file.pages[0]
            image, axes = page.asarray(), page.axes
    except Exception as error:  # noqa: BLE001, damaged files raise many types
        raise _undecodable('tifffile', layout, error) from error
    if axes == 'YX':
        return image[..., None]
    if axes == 'SYX':
        return np.moveaxis(image, 0, -1)
    if axes == 'YXS':
        return image
    raise DataError(f'{layout} has the axes {axes}; only flat images of bands can be read')


def _undecodable(reader: str, layout: TiffLayout, error: Exception) -> DataError:
    if layout.compression in _COMMON and 'imagecodecs' not in str(error):
        return DataError(f'{layout}: {reader} cannot decode it ({" ".join(str(error).split())})')
    name = _COMPRESSIONS.get(layout.compression, f'number {layout.compression}')
    return DataError(
        f'{layout}, compressed by {name}, cannot be read without the package imagecodecs; convert it: '
        'gdal_translate -co COMPRESS=DEFLATE in.tif out.tif'
    )
