"""Images, texts and devices as users give them -> checked lists; images in memory -> pixels."""

from __future__ import annotations

import logging
import os
from typing import Any, Literal, Optional, Sequence, Union

import numpy as np
import torch
from mmengine.device import get_device
from mmengine.logging import print_log
from PIL import Image, ImageOps

from ..datasets.images.band_stretch import Stretch, to_rgb8
from ..datasets.images.raster import Raster, together, without_data
from ..errors import ConfigError, DataError
from ..utils.files import walk_folders

ImageInput = Union[str, os.PathLike, np.ndarray, Image.Image]
ImageInputs = Union[ImageInput, Sequence[ImageInput]]
Texts = Union[str, Sequence[str]]
ArrayOrder = Literal['bgr', 'rgb']
Task = Literal['text_to_image', 'image_to_text', 'image_to_image']
Unreadable = Literal['raise', 'skip']

SUFFIXES = (
    *('.avif', '.bmp', '.gif', '.j2k', '.jfif', '.jp2', '.jpe', '.jpeg', '.jpg'),
    *('.pbm', '.pgm', '.png', '.pnm', '.ppm', '.tif', '.tiff', '.webp'),
)
_DEEP_MODES = ('F', 'I')  # and 'I;16', 'I;16B' ...: more than 8 bits, which PIL's own conversion would clip


def is_one(images: Any) -> bool:
    """Whether this is a single image, neither a list nor a folder."""
    if isinstance(images, (str, os.PathLike)):
        return not os.path.isdir(os.path.expanduser(images))
    return isinstance(images, Image.Image) or isinstance(images, np.ndarray) and images.ndim < 4


def list_images(folder: Union[str, os.PathLike], *, unreadable: Unreadable = 'raise') -> list[str]:
    """Paths of the image files in a folder and below, sorted.

    Folders behind links are entered, each once. Hidden files and folders are passed over, and files whose names do not
    end in one of `SUFFIXES`, whose number goes to the log.

    Args:
        folder: to search.
        unreadable: ``raise`` an error for a folder below that cannot be read, or ``skip`` it with a warning.

    Raises:
        DataError: the folder is missing, cannot be read or holds no images; or a folder below cannot be read.
    """
    root = os.path.expanduser(folder)
    if not os.path.isdir(root):
        raise DataError(f'folder {root} does not exist; name a folder with images')

    def report(error: OSError) -> None:
        sentence = f'folder {error.filename} cannot be read ({error.strerror}); make it readable, or move it away'
        if unreadable == 'raise' or error.filename == root:
            raise DataError(sentence) from error
        print_log(sentence, logger='current', level=logging.WARNING)

    found: list[str] = []
    others: list[str] = []
    for place, folders, names in walk_folders(root, onerror=report):
        folders[:] = [f for f in folders if not f.startswith('.')]
        for name in (n for n in names if not n.startswith('.')):
            (found if name.lower().endswith(SUFFIXES) else others).append(os.path.join(place, name))
    if others:
        print_log(
            f'{len(others)} of {len(found) + len(others)} files in {root} are passed over, since their names do not '
            f'end as those of images, first {min(others)}',
            logger='current',
        )
    if not found:
        raise DataError(f'folder {root} holds no images ({" ".join(SUFFIXES)}); name a folder with images')
    return sorted(found)


def as_images(images: ImageInputs, *, unreadable: Unreadable = 'raise') -> list[ImageInput]:
    """One image, a folder, an array (N, H, W, C) or a list of images -> a list; paths are strings in it.

    Args:
        images: what a user gave.
        unreadable: what to do about folders that cannot be read, see `list_images`.

    Raises:
        DataError: there are none, a folder is missing, unreadable or empty, or something is no image.
    """
    if is_one(images):
        images = [images]  # type: ignore[list-item]
    elif isinstance(images, (str, os.PathLike)):
        return list(list_images(images, unreadable=unreadable))
    if not isinstance(images, (list, tuple, np.ndarray)):
        raise DataError(f'images must be paths, arrays or PIL images, got {type(images).__name__}; give a list')
    if not len(images):
        raise DataError('there are no images to search; give a folder or a list of images')
    for image in images:
        if not isinstance(image, (str, os.PathLike, np.ndarray, Image.Image)):
            raise DataError(f'an image must be a path, an array (H, W, C) or a PIL image, got {type(image).__name__}')
    return [os.path.expanduser(os.fspath(i)) if isinstance(i, (str, os.PathLike)) else i for i in images]


def as_texts(texts: Texts) -> list[str]:
    """One text or several -> a list.

    Raises:
        ConfigError: there are none, one is blank, or something is no text.
    """
    texts = [texts] if isinstance(texts, str) else texts
    if not isinstance(texts, (list, tuple)) or not all(isinstance(text, str) for text in texts):
        raise ConfigError(f'texts must be a string or a list of strings, got {texts!r}')
    if not texts:
        raise ConfigError('there are no texts; give at least one')
    blank = [place for place, text in enumerate(texts) if not text.strip()]
    if blank:
        raise ConfigError(
            f'{len(blank)} of {len(texts)} texts are blank, first number {blank[0] + 1}; write a few words'
        )
    return list(texts)


def check_device(name: Optional[str]) -> str:
    """A device, or for None the best that is there.

    Raises:
        ConfigError: it is not there.
    """
    name = get_device() if name is None else name
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f'device={name!r} cannot be used ({reason}); take another, e.g. cpu') from error
    return name


def pixels_of(
    image: Union[np.ndarray, Image.Image],
    *,
    array_order: ArrayOrder,
    bands: Optional[Sequence[int]],
    stretch: Stretch,
    nodata: Optional[float] = None,
) -> np.ndarray:
    """An image in memory -> (H, W, 3) uint8, blue first, as the loader of a pipeline reads it from a file.

    Colours of 16 bits are read from files and arrays alone: PIL cuts them to 8 bits.

    Args:
        image: PIL image; or (H, W), (H, W, C) of any real type. Three bands are colours, a fourth is left out, unless
            ``bands`` chooses among four or more, in the order of the array. What a masked array hides is no data.
        array_order: of the colours of an array; PIL images know theirs.
        bands: the loader's, see `LoadRemoteSensingImage`.
        stretch: the loader's.
        nodata: the loader's: the value that stands for no data.

    Raises:
        DataError: it is no image, or has not the bands.
    """
    if isinstance(image, Image.Image):
        image = ImageOps.exif_transpose(image)  # as decoders of files do
        deep = image.mode.split(';')[0] in _DEEP_MODES
        image, array_order = np.asarray(image if deep else image.convert('RGB')), 'rgb'
    array = image[..., None] if image.ndim == 2 else image
    if array.ndim != 3 or not array.size or array.dtype.kind not in 'buif':
        raise DataError(f'an image array must hold numbers (H, W) or (H, W, C), got {image.dtype} {image.shape}')
    count = array.shape[2]
    if count in (3, 4) and (bands is None or count == 3):
        chosen: Optional[tuple[int, ...]] = (2, 1, 0) if array_order == 'bgr' else (0, 1, 2)
    elif count > 4 and bands is None:
        raise DataError(
            f'an image array of shape {array.shape} has {count} bands; put the bands last, or name three in the '
            "pipeline: dict(type='LoadRemoteSensingImage', bands=(red, green, blue))"
        )
    else:
        chosen = None if bands is None else tuple(bands)
    values = np.ma.getdata(array)
    empty = together(without_data(values, nodata), np.ma.getmaskarray(array) if np.ma.is_masked(array) else None)
    return np.ascontiguousarray(to_rgb8(Raster(values, empty), chosen, stretch)[..., ::-1])
