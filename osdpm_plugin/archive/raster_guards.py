"""What a stranger's raster file may not do: name other files, or claim more pixels than memory and time allow."""

from __future__ import annotations

import contextlib
import os
import re
import warnings
from math import ceil, prod
from typing import Sequence

from rasterio import Env
from rasterio._err import CPLE_BaseError
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import DatasetReader

from ..errors import DataError
from .remote import look, web_address

MOST_AT_ONCE = 4 << 30  # bytes of a read with the blocks that it touches; 224 rows of 1,000,000 pixels, 3 bands: 0.7e9
MOST_INFLATION = 100_000  # bytes of pixels for a byte of a file; deflate reaches 1,032, a file of zeros by ZSTD 10,000
SMALL = 1 << 30  # bytes of pixels that are read whatever the file's size
_SIDECARS = ('.ovr', '.msk', '.aux')


def gdal_name(address: str) -> str:
    """The name by which GDAL opens a file or an http(s) address.

    Raises:
        DataError: it names another of GDAL's file systems, which reach into archives and clouds.
    """
    remote = web_address(address)
    if remote is not None:
        return f'/vsicurl/{remote}'
    if address.startswith('/vsi') or re.match(r'[A-Za-z][\w+.-]+://', address):
        raise DataError('only files and http(s) addresses are read; copy it to a disk')
    return os.path.abspath(address)


def names_other_files(dataset: DatasetReader) -> bool:
    """Whether an open TIFF says that its overviews are in another file, of whatever format."""
    return bool(dataset.tags(ns='OVERVIEWS').get('OVERVIEW_FILE'))


def has_strange_sidecar(path: str) -> bool:
    """Whether a file of overviews or masks beside a raster is anything but a TIFF that holds its own pixels.

    GDAL opens such files by any of its drivers, so that one in VRT would show the pixels of whatever file it names.
    """
    folder, name = os.path.split(path)
    stem = os.path.splitext(name)[0].lower()
    with contextlib.suppress(OSError):
        for other in os.listdir(folder):
            lower = other.lower()
            if (
                lower.startswith(f'{stem}.')
                and lower.endswith(_SIDECARS)
                and not _is_plain(os.path.join(folder, other))
            ):
                return True
    return False


def check_claims(dataset: DatasetReader, address: str) -> None:
    """Raise DataError for a file that claims more pixels than its bytes can hold."""
    claimed = dataset.height * dataset.width * _bytes_a_pixel(dataset)
    if claimed <= SMALL:
        return
    remote = web_address(address)
    size = look(remote).size if remote is not None else os.path.getsize(address)
    if size is not None and claimed > size * MOST_INFLATION:
        raise DataError(
            f'it claims {dataset.width} x {dataset.height} pixels in {size} bytes, which cannot be; get a whole copy'
        )


def check_read(dataset: DatasetReader, window: tuple[float, float, float, float], shape: tuple[int, int]) -> None:
    """Raise DataError where reading a window needs too much memory.

    Args:
        dataset: a raster.
        window: row, column, height, width.
        shape: height and width of what is returned; smaller than the window's where only some pixels are taken.
    """
    block = dataset.block_shapes[0]
    is_pixelwise = dataset.tags(ns='IMAGE_STRUCTURE').get('INTERLEAVE') == 'PIXEL'
    block_bytes = prod(block) * (_bytes_a_pixel(dataset) if is_pixelwise else _bytes_a_pixel(dataset) // dataset.count)
    needed = max(block_bytes, prod(shape) * _bytes_a_pixel(dataset))
    if needed > MOST_AT_ONCE:
        row, column, height, width = window
        raise DataError(
            f'reading {ceil(height)} rows of {ceil(width)} pixels takes {needed / 1e9:.3g} GB; cut it into smaller '
            'files: gdal_retile.py -targetDir FOLDER -ps 20000 20000 FILE'
        )


def _bytes_a_pixel(dataset: DatasetReader) -> int:
    return sum(int(re.sub(r'\D', '', kind) or 8) for kind in dataset.dtypes) // 8


def open_quietly(name: str, drivers: Sequence[str]) -> DatasetReader:
    """Open a raster, without a warning for a plain picture."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', NotGeoreferencedWarning)
        return DatasetReader(name, driver=list(drivers))


def _is_plain(path: str) -> bool:
    if path.lower().endswith('.aux'):
        return False  # of ERDAS, whose files point to others
    settings = Env(GDAL_PAM_ENABLED='NO', GDAL_DISABLE_READDIR_ON_OPEN='EMPTY_DIR')
    try:
        with settings, open_quietly(path, ['GTiff']) as dataset:
            return not names_other_files(dataset)
    except (RasterioError, CPLE_BaseError, ValueError):
        return False
