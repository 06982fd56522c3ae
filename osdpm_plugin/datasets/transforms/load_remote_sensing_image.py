"""Image files of any number of bands and depth -> (H, W, 3) uint8 images."""

from __future__ import annotations

from typing import Optional, Sequence

import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.fileio import get

from ...errors import ConfigError, DataError
from ...registry import TRANSFORMS
from ...utils.checks import check_one_of
from ..images.band_stretch import Stretch, to_rgb8
from ..images.image_files import read_raster


@TRANSFORMS.register_module()
class LoadRemoteSensingImage(BaseTransform):
    """Add ``img`` (H, W, 3) uint8, blue first, as mmcv's ``LoadImageFromFile`` does, and ``img_shape``, ``ori_shape``.

    JPEG, WebP, and PNG and colour TIFF of 8 bits give the same pixels as mmcv's loader, equally fast. TIFF of 16 bits,
    of real or complex numbers and of any number of bands, and PNG, PGM, PPM, JPEG 2000 and AVIF of more than 8 bits,
    which that loader shows dark or wrong or not at all, are read too: see ``bands`` and ``stretch``. Layouts of TIFF
    that OpenCV reads wrongly need the package tifffile.
    Where there is no data, pixels become 0, and values do not count for the limits of the stretch: where a TIFF holds
    the value of its tag GDAL_NODATA, where its mask or alpha band is 0, and where 16-bit PNG or JPEG 2000 have alpha 0.

    Args:
        bands: positions of red, green and blue in the file, from 0. None: one band is grey; of three or more the first
            three are red, green and blue.
        stretch: how values of more than 8 bits become 8 bits: ``percentile`` (2 to 98 %), ``minmax`` or ``none``, each
            band of each image by itself; see `to_uint8`. 8-bit images are never stretched.
        nodata: the value that stands for no data, in place of the one that a file names.
        backend_args: where files come from (mmengine's meaning); None is the local disk.

    Raises:
        ConfigError: ``bands``, ``stretch`` or ``nodata`` is out of range.
    """

    def __init__(
        self,
        *,
        bands: Optional[Sequence[int]] = None,
        stretch: Stretch = 'percentile',
        nodata: Optional[float] = None,
        backend_args: Optional[dict] = None,
    ) -> None:
        if bands is not None and (
            len(bands) != 3 or any(isinstance(b, bool) or not isinstance(b, int) or b < 0 for b in bands)
        ):
            raise ConfigError(
                f'LoadRemoteSensingImage: bands must be the three positions of red, green and blue, got {bands!r}'
            )
        check_one_of('LoadRemoteSensingImage', 'stretch', stretch, ('minmax', 'percentile', 'none'))
        if nodata is not None and (isinstance(nodata, bool) or not isinstance(nodata, (int, float))):
            raise ConfigError(f'LoadRemoteSensingImage: nodata must be a number or None, got {nodata!r}')
        self.bands = None if bands is None else tuple(bands)
        self.stretch: Stretch = stretch
        self.nodata = nodata
        self.backend_args = backend_args

    def transform(self, results: dict) -> dict:
        """Add ``img``, ``img_shape``, ``ori_shape``.

        Raises:
            DataError: the file cannot be read, decoded, or lacks the bands.
        """
        path = results['img_path']
        try:
            content = get(path, backend_args=self.backend_args)
        except OSError as error:
            raise DataError(f'image {path} cannot be read ({error.strerror or error})') from error
        try:
            raster = read_raster(content, self.nodata)
        except DataError as error:
            raise DataError(f'image {path} cannot be read ({error})') from error
        try:
            image = to_rgb8(raster, self.bands, self.stretch)
        except DataError as error:
            raise DataError(f'image {path}: {error}') from error
        image = np.ascontiguousarray(image[..., ::-1])  # red first -> blue first
        return {**results, 'img': image, 'img_shape': image.shape[:2], 'ori_shape': image.shape[:2]}

    def __repr__(self) -> str:
        return f'{type(self).__name__}(bands={self.bands}, stretch={self.stretch!r}, nodata={self.nodata})'
