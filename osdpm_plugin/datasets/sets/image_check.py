"""Paths of images -> an error of one sentence if some cannot be decoded, which counts and names them."""

from __future__ import annotations

import io
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal, Optional, Sequence

from mmcv.transforms import LoadImageFromFile
from PIL.JpegImagePlugin import JpegImageFile

from ...errors import DataError
from ..annotations.file_names import name_some
from ..images.band_stretch import to_rgb8
from ..images.image_files import check_jpeg_end, is_jpeg, read_raster
from ..images.raster import Raster
from ..transforms.load_remote_sensing_image import LoadRemoteSensingImage
from ..transforms.mmcv_loader import why_refused

ImageCheck = Literal['decode', 'exists', 'none']


def check_images(
    paths: Sequence[str], check: ImageCheck, *, load: Optional[Any] = None, num_threads: Optional[int] = None
) -> None:
    """Make sure before the first epoch that every image exists and is complete.

    Args:
        paths: image files.
        check: ``decode`` reads every pixel (JPEG at 1/8 scale, which still reads the whole file), ``exists`` asks
            only whether the file is there, ``none`` does nothing.
        load: the transform that will load them, one of `IMAGE_LOADERS`, which must be able to decode them; None: only
            `LoadRemoteSensingImage` must be able to.
        num_threads: decoding threads; None: the number of cores.

    Raises:
        DataError: with the number of bad files and the first three of them.
    """
    if check == 'none':
        return
    missing = [p for p in paths if not _is_file(p)]
    if missing:
        raise DataError(
            f'{len(missing)} of {len(paths)} images are missing, first {name_some(missing)}; '
            'check data_root and image_dir, or download the images again'
        )
    if check == 'exists':
        return
    with ThreadPoolExecutor(num_threads or os.cpu_count()) as pool:
        reasons = list(pool.map(lambda path: _why_undecodable(path, load), paths))
    broken = [f'{path} ({reason})' for path, reason in zip(paths, reasons) if reason]
    if broken:
        raise DataError(
            f'{len(broken)} of {len(paths)} images cannot be decoded, first {name_some(broken)}; '
            'replace these files, or do what the reason says'
        )


def _is_file(path: str) -> bool:
    try:
        return Path(path).is_file()
    except (OSError, ValueError):  # a name that is too long, or that no file can have
        return False


def _why_undecodable(path: str, load: Optional[Any]) -> Optional[str]:
    try:
        content = Path(path).read_bytes()
        if is_jpeg(content):
            check_jpeg_end(content)
            with JpegImageFile(io.BytesIO(content)) as image:
                image.draft('L', (max(1, image.width // 8), max(1, image.height // 8)))
                image.load()
            return None
        reason = why_refused(load, content)
        if reason:
            return reason
        if isinstance(load, LoadImageFromFile):
            return None if load(dict(img_path=path)) else 'the loader skips it'
        raster = read_raster(content)
        if isinstance(load, LoadRemoteSensingImage):  # one row shows whether the number and type of bands fit
            to_rgb8(Raster(raster.bands[:1]), load.bands, load.stretch)
    except Exception as error:  # decoders raise many types: OSError, SyntaxError, struct.error, ValueError ...
        return ' '.join(str(error).split()) or type(error).__name__
    return None
