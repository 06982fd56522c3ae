"""Image files -> decoded pixels, which are kept on disk for later epochs and runs."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Optional, Sequence

import numpy as np

from ...errors import ConfigError
from ...registry import TRANSFORMS
from ...utils.files import atomic_file
from ..images.band_stretch import Stretch
from ..images.raster import pixel_rule
from .load_remote_sensing_image import LoadRemoteSensingImage


@TRANSFORMS.register_module()
class LoadDecodedImage(LoadRemoteSensingImage):
    """`LoadRemoteSensingImage` with the pixels kept on disk: the same ``img``, ``img_shape``, ``ori_shape``.

    The first epoch decodes and writes, H * W * 3 bytes an image and one file each; later epochs, later runs and
    other worker processes read, which takes a fraction of the time as long as the files fit into free memory. An image
    file whose size or time of change differs is decoded again, and so is one whose kept pixels are damaged or were made
    by older rules, see `pixel_rule`.

    Args:
        folder: where the pixels are kept; delete it when it is no longer needed.
        bands: of `LoadRemoteSensingImage`.
        stretch: of `LoadRemoteSensingImage`.
        nodata: of `LoadRemoteSensingImage`.

    Raises:
        ConfigError: the folder cannot be written, or ``bands``, ``stretch`` or ``nodata`` is out of range.
    """

    def __init__(
        self,
        *,
        folder: str,
        bands: Optional[Sequence[int]] = None,
        stretch: Stretch = 'percentile',
        nodata: Optional[float] = None,
    ) -> None:
        super().__init__(bands=bands, stretch=stretch, nodata=nodata)
        self.folder = folder
        try:
            os.makedirs(folder, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                f'LoadDecodedImage: folder {folder} cannot be made ({error.strerror}); name one that you may write to'
            ) from error

    def transform(self, results: dict) -> dict:
        """Add ``img`` (H, W, 3) uint8, blue first, and its shapes.

        Raises:
            ConfigError: the pixels cannot be written.
            DataError: the image cannot be decoded, or lacks the bands.
            FileNotFoundError: there is no such image.
        """
        kept = self._kept(results['img_path'])
        image = _read(kept)
        if image is None:
            decoded = super().transform(results)
            self._keep(kept, decoded['img'])
            return decoded
        return {**results, 'img': image, 'img_shape': image.shape[:2], 'ori_shape': image.shape[:2]}

    def _kept(self, path: str) -> Path:
        state = os.stat(path)
        key = f'{os.path.abspath(path)} {state.st_size} {state.st_mtime_ns} {self.bands} {self.stretch}'
        if self.nodata is not None:
            key += f' {self.nodata}'
        if pixel_rule(path) > 1:
            key += f' rule {pixel_rule(path)}'
        return Path(self.folder, hashlib.blake2b(key.encode(), digest_size=16).hexdigest() + '.npy')

    def _keep(self, path: Path, image: np.ndarray) -> None:
        try:
            with atomic_file(path, f'{path}.{os.getpid()}') as file:
                np.save(file, image)
        except OSError as error:
            raise ConfigError(
                f'LoadDecodedImage: {path} cannot be written ({error.strerror or error}); name a folder with '
                f'{image.nbytes} bytes for each image, or take LoadRemoteSensingImage'
            ) from error

    def __repr__(self) -> str:
        return f'{type(self).__name__}(folder={self.folder!r}, {super().__repr__().partition("(")[2]}'


def _read(path: Path) -> Optional[np.ndarray]:
    """The pixels (H, W, 3) uint8 of a file; None if it is missing, damaged or holds something else."""
    try:
        image = np.load(path, allow_pickle=False)
    except Exception:  # no file, or damage, which raises many types: from Python's parser, zipfile ...
        return None
    is_image = isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3
    return image if is_image else None
