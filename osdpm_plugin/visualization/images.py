"""Image files -> (H, W, 3) uint8 RGB arrays, read as the model's pipeline reads them; arrays -> square tiles."""

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
        dataset: config of a data set, or of a wrapper around one. If its pipeline has no known loader,
            `LoadRemoteSensingImage` reads with its defaults.
    """
    for step in pipeline_of(dataset):
        transform = TRANSFORMS.get(step['type']) if isinstance(step.get('type'), str) else step.get('type')
        if isinstance(transform, type) and issubclass(transform, (LoadRemoteSensingImage, LoadImageFromFile)):
            return _reader(TRANSFORMS.build(step))
    return _reader(LoadRemoteSensingImage())


def read_image(path: str) -> np.ndarray:
    """Read with the defaults of `LoadRemoteSensingImage`.

    Raises:
        DataError: the file is missing or not an image.
    """
    return _reader(LoadRemoteSensingImage())(path)


def fit(image: np.ndarray, size: int) -> np.ndarray:
    """An image (H, W, 3) uint8, resized so that its longer edge has ``size`` pixels."""
    height, width = image.shape[:2]
    share = size / max(height, width)
    edges = max(1, round(width * share)), max(1, round(height * share))
    return np.asarray(Image.fromarray(np.ascontiguousarray(image)).resize(edges, Image.Resampling.LANCZOS))


def tile_of(image: np.ndarray, size: int, *, ground: str) -> np.ndarray:
    """An image (H, W, 3) uint8 -> (size, size, 3); one that is not square is centred on a background of one colour."""
    scaled = Image.fromarray(fit(image, size))
    tile = Image.new('RGB', (size, size), ground)
    tile.paste(scaled, ((size - scaled.width) // 2, (size - scaled.height) // 2))
    return np.asarray(tile)


def _reader(transform: Any) -> ImageReader:
    def read(path: str) -> np.ndarray:
        try:
            image = np.asarray(transform.transform(dict(img_path=path))['img'])
        except OSDPMError:
            raise
        except Exception as error:  # decoders raise many types, mmcv even TypeError
            raise DataError(f'image {path} cannot be read ({error}); replace it, or correct data_root') from error
        image = image.reshape(*image.shape[:2], -1)
        image = image[..., [2, 1, 0]] if image.shape[2] >= 3 else image[..., [0, 0, 0]]  # blue first -> red first
        return np.clip(image, 0, 255).astype(np.uint8)

    return read
