"""Paths -> (H, W, 3) uint8 RGB, read as the model's pipeline reads them, and square tiles of those."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable

import numpy as np
from mmcv.transforms import LoadImageFromFile
from PIL import Image

from ..datasets.config_views import pipeline_of
from ..datasets.transforms.load_remote_sensing_image import LoadRemoteSensingImage
from ..errors import DataError, OSDPMError
from ..registry import TRANSFORMS

ImageReader = Callable[[str], np.ndarray]


def reader_of(dataset: Mapping[str, Any]) -> ImageReader:
    """The way in which a data set's pipeline reads images: its choice of bands and depth, without the later steps.

    Args:
        dataset: config of a data set, or of a wrapper around one. Where its pipeline begins with no loader that is
            known, `LoadRemoteSensingImage` reads with its defaults.
    """
    for step in pipeline_of(dataset):
        transform = TRANSFORMS.get(step['type']) if isinstance(step.get('type'), str) else step.get('type')
        if isinstance(transform, type) and issubclass(transform, (LoadRemoteSensingImage, LoadImageFromFile)):
            return _reader(TRANSFORMS.build(step))
    return _reader(LoadRemoteSensingImage())


def read_image(path: str) -> np.ndarray:
    """Read with the defaults of `LoadRemoteSensingImage`.

    Raises:
        DataError: the file is missing or no image.
    """
    return _reader(LoadRemoteSensingImage())(path)


def tile_of(image: np.ndarray, size: int, *, ground: str) -> np.ndarray:
    """An image (H, W, 3) uint8 as (size, size, 3); one that is not square keeps its shape on a plain ground.

    Args:
        image: uint8.
        size: pixels.
        ground: colour.
    """
    height, width = image.shape[:2]
    share = size / max(height, width)
    inner = max(1, round(width * share)), max(1, round(height * share))
    tile = Image.new('RGB', (size, size), ground)
    scaled = Image.fromarray(np.ascontiguousarray(image)).resize(inner, Image.Resampling.LANCZOS)
    tile.paste(scaled, ((size - inner[0]) // 2, (size - inner[1]) // 2))
    return np.asarray(tile)


def _reader(transform: Any) -> ImageReader:
    def read(path: str) -> np.ndarray:
        try:
            image = np.asarray(transform.transform(dict(img_path=path))['img'])
        except OSDPMError:
            raise
        except Exception as error:  # decoders raise many kinds, mmcv even TypeError for a file that is no image
            raise DataError(f'image {path} cannot be read ({error}); replace it, or correct data_root') from error
        if image.ndim == 2:
            image = image[..., None]
        image = image[..., [2, 1, 0]] if image.shape[2] >= 3 else image[..., [0, 0, 0]]  # blue first -> red first
        return image if image.dtype == np.uint8 else np.clip(image, 0, 255).astype(np.uint8)

    return read
