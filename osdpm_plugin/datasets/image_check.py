"""Paths of images -> nothing, or one sentence that counts and names those that cannot be decoded."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, Optional, Sequence

from PIL import Image

from ..errors import DataError
from .annotations import name_some
from .image_files import read_bands
from .tiff_files import is_tiff, tiff_layout

ImageCheck = Literal['decode', 'exists', 'none']


def check_images(paths: Sequence[str], check: ImageCheck, *, num_threads: Optional[int] = None) -> None:
    """Make sure before the first epoch that every image is there and whole.

    Args:
        paths: files to look at.
        check: ``decode`` reads every pixel (JPEG at 1/8 scale, which still reads the whole file), ``exists`` looks
            only for the names, ``none`` does nothing.
        num_threads: decoding threads; the number of cores when None.

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
        reasons = list(pool.map(_why_undecodable, paths))
    broken = [f'{path} ({reason})' for path, reason in zip(paths, reasons) if reason]
    if broken:
        raise DataError(
            f'{len(broken)} of {len(paths)} images cannot be decoded, first {name_some(broken)}; replace these files'
        )


def _is_file(path: str) -> bool:
    try:
        return Path(path).is_file()
    except (OSError, ValueError):  # a name that is too long, or that no file can have
        return False


def _why_undecodable(path: str) -> Optional[str]:
    try:
        with open(path, 'rb') as file:
            if is_tiff(file.read(4)):
                content = Path(path).read_bytes()
                if not tiff_layout(content).is_ordinary:
                    read_bands(content)
                    return None
        with Image.open(path) as image:
            image.draft('L', (max(1, image.width // 8), max(1, image.height // 8)))
            image.load()
    except Exception as error:  # Pillow's decoders raise many kinds: OSError, SyntaxError, struct.error, ValueError ...
        return str(error) or type(error).__name__
    return None
