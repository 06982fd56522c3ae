"""A raster file or address -> its shape, place, date and pixels, read by GDAL's drivers of self-contained formats."""

from __future__ import annotations

import contextlib
import re
import time
from datetime import datetime, timezone
from typing import Any, Callable, Iterator, Optional, TypeVar

import numpy as np
from affine import Affine
from rasterio import Env
from rasterio._err import CPLE_BaseError
from rasterio.enums import ColorInterp
from rasterio.errors import RasterioError, RasterioIOError
from rasterio.io import DatasetReader
from rasterio.windows import Window

from ..errors import DataError
from .places import Georeference
from .raster_guards import check_claims, check_read, gdal_name, has_strange_sidecar, names_other_files, open_quietly
from .remote import PAUSES

DRIVERS = ('GTiff', 'JP2OpenJPEG', 'PNG', 'JPEG', 'BMP', 'WEBP')
"""Formats whose files hold their own pixels. VRT and its like name other files, which a stranger's file must not."""
SUFFIXES = ('.tif', '.tiff', '.jp2', '.j2k', '.png', '.jpg', '.jpeg', '.bmp', '.webp')
_SETTINGS: dict[str, Any] = dict(
    GDAL_HTTP_MAX_RETRY='3',
    GDAL_HTTP_RETRY_DELAY='0.5',
    GDAL_HTTP_RETRY_CODES='429,500,502,503,504',
    GDAL_HTTP_TIMEOUT='60',
    GDAL_HTTP_CONNECTTIMEOUT='10',
    GDAL_CACHEMAX=256 << 20,  # bytes; a strip of tiles of a wide scene fits
    GDAL_PAM_ENABLED='NO',  # a scene's folder is never written to, and no .aux.xml is believed
    GDAL_TIFF_INTERNAL_MASK='YES',
    GDAL_ERROR_ON_LIBJPEG_WARNING='TRUE',  # half a JPEG is no scene
    GDAL_PNG_WHOLE_IMAGE_OPTIM='NO',  # which gives false pixels of half a PNG without a word
    CPL_VSIL_CURL_NON_CACHED='/vsicurl/',  # what a server held when it was last asked
    VSI_CACHE='TRUE',
)
_GDAL_ERRORS = (RasterioError, CPLE_BaseError)  # the second comes late, of what was wrong when the file was opened
_T = TypeVar('_T')
_DATE = re.compile(r'(\d{4})[:-](\d\d)[:-](\d\d)(?:[ T](\d\d):(\d\d):(\d\d))?')


class RasterFile:
    """An open raster.

    Args:
        name: by which GDAL opens it.

    Raises:
        DataError: it cannot be opened, or is of a kind that is not read.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._dataset = _patiently(self._open, name)
        with _in_words():
            self._describe(self._dataset)

    def _describe(self, dataset: DatasetReader) -> None:
        self.shape = (dataset.height, dataset.width)
        if any(kind == 'complex' for kind in map(_kind, dataset.dtypes)):
            raise DataError('its values are complex numbers; store their amplitude')
        check_claims(dataset, self._name)
        if names_other_files(dataset):
            raise DataError('it names another file as its overview; rewrite it: gdal_translate in.tif out.tif')
        interpretations = dataset.colorinterp
        self.bands = [i for i, c in zip(dataset.indexes, interpretations) if c != ColorInterp.alpha]
        if ColorInterp.cyan in interpretations:  # of 16 bits; GDAL makes RGB of 8
            raise DataError('its colours are printing inks (CMYK); convert it to RGB')
        self._is_bilevel = dataset.tags(1, ns='IMAGE_STRUCTURE').get('NBITS') == '1'
        self._is_negative = dataset.tags(ns='IMAGE_STRUCTURE').get('MINISWHITE') == 'YES'
        has_colours = interpretations[0] == ColorInterp.palette and not self._is_negative  # there GDAL's are greys
        self._palette = _palette(dataset) if has_colours else None
        is_stored = self._palette is None and not self._is_bilevel and not self._is_negative
        self.nodata = dataset.nodata if is_stored else None
        self.datetime = _tagged_date(dataset)

    def georeference(self, assume_crs: Optional[str] = None) -> Optional[Georeference]:
        """Where the pixels lie; None for a plain picture.

        Args:
            assume_crs: well-known text for a file that has coordinates but names no CRS.

        Raises:
            DataError: it has coordinates without a CRS, or ground control points alone.
        """
        with _in_words():
            return _georeference(self._dataset, assume_crs)

    def read(
        self, window: tuple[int, int, int, int], *, shape: Optional[tuple[int, int]] = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Pixels of a window as stored, with colours in place of a palette's numbers.

        Args:
            window: row, column, height, width.
            shape: height and width of what is returned, by the nearest pixels; None: the window's.

        Returns:
            Bands (h, w, C), and (h, w) bool, false where no band has data.

        Raises:
            DataError: the file is damaged, or its server does not answer.
        """
        row, column, height, width = window
        part = Window(column, row, width, height)

        def read() -> tuple[np.ndarray, np.ndarray]:
            if self._dataset.closed:
                self._dataset = self._open()
            check_read(self._dataset, window, shape or (height, width))
            try:
                bands = self._dataset.read(
                    self.bands, window=part, out_shape=None if shape is None else (len(self.bands), *shape)
                )
                return bands, self._dataset.dataset_mask(window=part, out_shape=shape) > 0
            except BaseException:
                self._dataset.close()  # what GDAL keeps of a broken answer goes with it
                raise

        bands, mask = _patiently(read, self._name)
        bands = np.moveaxis(bands, 0, -1)  # (h, w, C)
        if self._palette is not None:
            bands = self._palette[bands[..., 0]]
        elif self._is_bilevel:
            bands = (bands > 0).astype(np.uint8) * np.uint8(255)
        if self._is_negative:
            bands = -bands if bands.dtype.kind == 'f' else ~bands
        return bands, mask

    def close(self) -> None:
        """Close the file."""
        self._dataset.close()

    def _open(self) -> DatasetReader:
        return open_quietly(self._name, DRIVERS)


@contextlib.contextmanager
def open_raster(address: str) -> Iterator[RasterFile]:
    """Open a file, or what stands behind an http(s) address.

    Args:
        address: path, ``http(s)://`` address, or ``/vsicurl/`` of one.

    Raises:
        DataError: it cannot be opened, or is of a kind that is not read; the sentence begins with the reason, not with
            the address.
    """
    name = gdal_name(address)
    is_alone = _is_remote(name) or has_strange_sidecar(name)
    settings = {**_SETTINGS, **(dict(GDAL_DISABLE_READDIR_ON_OPEN='EMPTY_DIR') if is_alone else {})}
    with Env(**settings), contextlib.closing(RasterFile(name)) as raster:
        yield raster


def _is_remote(name: str) -> bool:
    return name.startswith('/vsicurl/')


def _patiently(action: Callable[[], _T], name: str) -> _T:
    """Let GDAL do something; again after pauses for a web address, since its own retries leave out broken answers.

    Raises:
        DataError: it does not succeed.
    """
    for pause in (*(PAUSES[:2] if _is_remote(name) else ()), None):
        try:
            with _in_words():
                return action()
        except DataError as error:
            if pause is None or not isinstance(error.__cause__, _GDAL_ERRORS):
                raise
        time.sleep(pause)
    raise AssertionError('the last attempt returns or raises')


@contextlib.contextmanager
def _in_words() -> Iterator[None]:
    try:
        yield
    except DataError:
        raise
    except (*_GDAL_ERRORS, MemoryError, ValueError) as error:
        raise DataError(_reason(error)) from error


def _kind(dtype: str) -> str:
    return 'complex' if 'complex' in dtype else 'real'


def _palette(dataset: DatasetReader) -> np.ndarray:
    """(256 or 65536, 3) uint8 colours by number."""
    colours = dataset.colormap(1)
    table = np.zeros((1 << 16 if dataset.dtypes[0] == 'uint16' else 256, 3), np.uint8)
    for number, colour in colours.items():
        table[number] = colour[:3]
    return table


def _georeference(dataset: DatasetReader, assume_crs: Optional[str]) -> Optional[Georeference]:
    if dataset.transform == Affine.identity():
        if dataset.gcps[0]:
            raise DataError('it is placed by ground control points alone; warp it: gdalwarp in.tif out.tif')
        return None
    crs = dataset.crs.to_wkt() if dataset.crs else assume_crs
    if not crs:
        raise DataError(
            'it has coordinates but names no CRS; name it with --assume-crs EPSG:..., or write it: gdal_edit.py -a_srs '
            'EPSG:... FILE'
        )
    return Georeference(crs, tuple(dataset.transform)[:6])


def _tagged_date(dataset: DatasetReader) -> Optional[datetime]:
    """TIFF's DateTime, or the acquisition date of GDAL's metadata for imagery."""
    for tags, name in ((dataset.tags(ns='IMAGERY'), 'ACQUISITIONDATETIME'), (dataset.tags(), 'TIFFTAG_DATETIME')):
        match = _DATE.match(tags.get(name, ''))
        if match:
            with contextlib.suppress(ValueError):  # 0000:00:00
                return datetime(*(int(part or 0) for part in match.groups()), tzinfo=timezone.utc)  # type: ignore[arg-type, misc]
    return None


def _reason(error: BaseException) -> str:
    """GDAL's own words, which stand behind rasterio's."""
    while isinstance(error, RasterioIOError) and isinstance(error.__cause__, BaseException):
        error = error.__cause__
    words = ' '.join(str(error).split()) or type(error).__name__
    if 'not recognized as being in a supported file format' in words:
        return f'it is empty, damaged, or of another format than {", ".join(DRIVERS)}; convert it: gdal_translate'
    return f'GDAL cannot read it ({words})'
