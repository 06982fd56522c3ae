"""An image file that mmcv's ``LoadImageFromFile`` would decode wrongly without an error -> the reason to refuse it."""

from __future__ import annotations

from typing import Any, Iterable, Optional

from mmcv.transforms import LoadImageFromFile
from mmengine.fileio import get

from ...errors import DataError
from ..images.deep_files import depth_of
from ..images.image_files import check_jpeg_end
from ..images.tiff_files import is_tiff, tiff_layout
from .load_remote_sensing_image import LoadRemoteSensingImage

IMAGE_LOADERS = (LoadImageFromFile, LoadRemoteSensingImage)
_REMEDY = "which LoadImageFromFile shows dark or wrong; write dict(type='LoadRemoteSensingImage') in its place"


def loader_of(transforms: Iterable[Any]) -> Optional[Any]:
    """The first of some transforms that loads images; None if there is none."""
    return next((transform for transform in transforms if isinstance(transform, IMAGE_LOADERS)), None)


def why_refused(load: Any, content: bytes) -> Optional[str]:
    """Why a loader would decode a file wrongly without an error; None if it would not.

    mmcv's loader keeps the upper 8 bits of 16, whatever range they use, so that images of many sensors come out black;
    multiplies colours by a fourth band that it takes for alpha; reads the first page of a TIFF, be it a preview; and
    pads a JPEG that ends early, see `check_jpeg_end`.

    Args:
        load: transform; only mmcv's, with its own decoder, is ever wrong.
        content: of the file.
    """
    if not isinstance(load, LoadImageFromFile) or load.imdecode_backend not in ('cv2', None):
        return None
    try:
        check_jpeg_end(content)
        layout = tiff_layout(content) if is_tiff(content) else None
        depth = None if layout else depth_of(content)
    except DataError as error:
        return str(error)
    if load.color_type == 'unchanged':
        return None
    if layout is not None:
        is_right = layout.is_ordinary or 1 <= layout.bits < 8
        return None if is_right and layout.is_first else f'{layout}, {_REMEDY}'
    is_dark = depth is not None and (depth.is_deep or (depth.largest or 255) < 255)
    return f'{depth}, {_REMEDY}' if is_dark else None


def check_file(load: Any, path: str) -> None:
    """Refuse a file that a loader would decode wrongly without an error, see `why_refused`.

    Raises:
        DataError: the loader would decode it wrongly.
        OSError: it cannot be read.
    """
    if not isinstance(load, LoadImageFromFile):
        return
    reason = why_refused(load, get(path, backend_args=load.backend_args))
    if reason:
        raise DataError(f'image {path} cannot be read ({reason})')
