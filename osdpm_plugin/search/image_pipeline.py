"""The test pipeline of a config, for images without captions: image -> what the model takes, and a digest of it."""

from __future__ import annotations

import hashlib
import os
from functools import partial
from pathlib import Path
from typing import Any, Callable, Mapping, Sequence, get_args

import numpy as np
from mmengine.fileio import get

from ..datasets.images.raster import pixel_rule
from ..datasets.images.region_files import region_file
from ..datasets.transforms import LoadRegions, LoadRemoteSensingImage, TokenizeCaptions
from ..datasets.transforms.mmcv_loader import check_file, loader_of
from ..errors import ConfigError, DataError
from ..features.cached_dataset import CAPTION_TRANSFORMS
from ..registry import TRANSFORMS
from ..utils.checks import check_one_of
from .inputs import ArrayOrder, ImageInput, pixels_of

DIGEST_SIZE = 32


def build_tokenizer(steps: Sequence[Mapping[str, Any]]) -> Callable[[Sequence[str]], np.ndarray]:
    """The tokenizer of a pipeline.

    Raises:
        ConfigError: the pipeline has none.
    """
    for step in steps:
        if step['type'] == 'TokenizeCaptions':
            transform: TokenizeCaptions = TRANSFORMS.build(dict(step))
            return transform.tokenizer
    raise ConfigError('the test pipeline has no TokenizeCaptions, so that texts cannot be read; add it')


class ImagePipeline:
    """Image -> ``dict(inputs=(3, H, W) uint8 tensor, data_samples=sample without captions)``.

    Args:
        steps: configs of a test pipeline; those that concern captions are left out.
        array_order: order of the colours of arrays, ``bgr`` (as OpenCV and mmcv have it) or ``rgb``.

    Attributes:
        settings: configs of the steps that are run, for a fingerprint.

    Raises:
        ConfigError: the pipeline reads no image files, or ``array_order`` is neither.
    """

    def __init__(self, *, steps: Sequence[Mapping[str, Any]], array_order: ArrayOrder = 'bgr') -> None:
        check_one_of('', 'array_order', array_order, get_args(ArrayOrder))
        self.settings = [dict(step) for step in steps if step['type'] not in CAPTION_TRANSFORMS]
        transforms = [TRANSFORMS.build(dict(step)) for step in self.settings]
        self._load: Any = loader_of(transforms)
        if self._load is None:
            raise ConfigError('the test pipeline reads no image files; begin it with LoadRemoteSensingImage')
        self._rest = [t for t in transforms if t is not self._load]
        self._regions = [t for t in self._rest if isinstance(t, LoadRegions)]
        settings: dict[str, Any] = dict(bands=None, stretch='percentile')
        if isinstance(self._load, LoadRemoteSensingImage):
            settings = dict(bands=self._load.bands, stretch=self._load.stretch, nodata=self._load.nodata)
        self._pixels: Callable[[Any], np.ndarray] = partial(pixels_of, array_order=array_order, **settings)

    def digest(self, image: ImageInput) -> bytes:
        """32 bytes that change with the content of the file and of its region files, with the rule of its pixels, or
        with the pixels in memory.

        Raises:
            DataError: a file cannot be read.
        """
        digest = hashlib.blake2b(digest_size=DIGEST_SIZE)
        if not isinstance(image, (str, os.PathLike)):
            pixels = self._pixels(image)
            digest.update(f'pixels {pixels.shape}'.encode())
            digest.update(pixels.tobytes())
            return digest.digest()
        for file in (str(image), *(str(region_file(t.folder, str(image))) for t in self._regions)):
            try:
                content = get(file, backend_args=getattr(self._load, 'backend_args', None))
            except (OSError, ValueError) as error:  # ValueError: a name that no file can have
                reason = getattr(error, 'strerror', None) or error
                raise DataError(f'image {Path(file)} cannot be read ({reason})') from error
            digest.update(f'file {len(content)} '.encode())
            digest.update(content)
        if (rule := pixel_rule(str(image))) > 1:
            digest.update(f'rule {rule}'.encode())
        return digest.digest()

    def __call__(self, image: ImageInput) -> dict:
        """Load and transform.

        Raises:
            ConfigError: the loader itself cannot continue, for example on a full disk.
            DataError: the image cannot be read, or has no regions where the pipeline loads them.
        """
        if self._regions and not isinstance(image, (str, os.PathLike)):
            raise DataError('an image in memory has no regions, which the model needs; give the path of a file')
        results: Any = self._loaded(image)
        for transform in self._rest:
            results = transform(results)
        return results

    def read(self, image: ImageInput) -> np.ndarray:
        """Pixels to look at, (H, W, 3) uint8, red first.

        Raises:
            DataError: the image cannot be read.
        """
        pixels = np.asarray(self._loaded(image)['img'])[..., ::-1]
        return pixels if pixels.dtype == np.uint8 else np.clip(pixels, 0, 255).astype(np.uint8)

    def _loaded(self, image: ImageInput) -> dict:
        results: dict = dict(image_id=0, captions=[], caption_ids=[], tokens=np.zeros((0, 1), dtype=np.int64))
        if not isinstance(image, (str, os.PathLike)):
            pixels = self._pixels(image)
            return dict(results, img_path='', img=pixels, img_shape=pixels.shape[:2], ori_shape=pixels.shape[:2])
        try:
            check_file(self._load, str(image))
            loaded = self._load(dict(results, img_path=str(image)))
        except (ConfigError, DataError, MemoryError):
            raise
        except Exception as error:  # decoders raise many kinds, mmcv even TypeError for a file that is no image
            raise DataError(f'image {image} cannot be read ({" ".join(str(error).split())})') from error
        if loaded is None or loaded.get('img') is None:
            raise DataError(f'image {image} cannot be read (it is no image that the loader knows)')
        return loaded
