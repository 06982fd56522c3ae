"""Image files -> a 64-bit perceptual hash (DCT) and a digest of the pixels, in threads."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import NamedTuple, Optional, Union

import numpy as np
from PIL import Image
from tqdm import tqdm

from ....datasets.annotations.file_names import name_some
from ....datasets.images.band_stretch import to_rgb8
from ....datasets.images.image_files import read_raster
from ....errors import DataError


class ImageHashes(NamedTuple):
    """Hashes of the images that could be read.

    Attributes:
        positions: (R,) int64, places of the readable images in the list of paths, ascending.
        perceptual: (R,) uint64, bits of ``imagehash.phash``.
        pixels: R digests of shape, type and values of the decoded bands; equal for equal pixels.
        unreadable: path and reason of each of the others.
    """

    positions: np.ndarray
    perceptual: np.ndarray
    pixels: list[bytes]
    unreadable: list[tuple[str, str]]


def hash_images(paths: Sequence[str], *, num_threads: Optional[int] = None, progress: bool = True) -> ImageHashes:
    """Hash N files; files that cannot be read are listed in the result.

    Args:
        num_threads: decoding threads; the number of cores when None.

    Raises:
        DataError: not one file can be read, or imagehash is not installed.
    """
    try:
        import imagehash
    except ImportError:
        raise DataError(
            'imagehash, which finds near-duplicate images, is not installed; pip install imagehash'
        ) from None
    with ThreadPoolExecutor(num_threads or os.cpu_count()) as pool:
        results = pool.map(lambda path: _hash_or_reason(path, imagehash), paths)
        found = list(tqdm(results, total=len(paths), desc='hashing images', unit='img', disable=not progress))
    good = [(i, item) for i, item in enumerate(found) if not isinstance(item, str)]
    bad = [(path, item) for path, item in zip(paths, found) if isinstance(item, str)]
    if not good:
        names = [f'{path} ({reason})' for path, reason in bad]
        raise DataError(
            f'not one of {len(paths)} images can be read, first {name_some(names, most=1)}; '
            'check the folder of images, or leave images out with --skip-images'
        )
    return ImageHashes(
        positions=np.array([i for i, _ in good], dtype=np.int64),
        perceptual=np.array([item[0] for _, item in good], dtype=np.uint64),
        pixels=[item[1] for _, item in good],
        unreadable=bad,
    )


def _hash_or_reason(path: str, library: ModuleType) -> Union[tuple[int, bytes], str]:
    """Perceptual hash and digest of a file, or why it has none."""
    try:
        raster = read_raster(Path(path).read_bytes())
        bands = raster.bands
        shown = to_rgb8(raster, None if bands.shape[2] >= 3 else (0, 0, 0), 'minmax')
        bits = library.phash(Image.fromarray(np.ascontiguousarray(shown))).hash  # (8, 8) bool
    except FileNotFoundError:
        return 'it does not exist'
    except Exception as error:  # noqa: BLE001, decoders raise many types
        return ' '.join(str(error).split()) or type(error).__name__
    digest = hashlib.blake2b(f'{bands.shape} {bands.dtype}'.encode(), digest_size=16)
    digest.update(np.ascontiguousarray(bands).data)
    return int.from_bytes(np.packbits(bits).tobytes(), 'big'), digest.digest()
