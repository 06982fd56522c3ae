"""Small things about files: sizes in words, disk-full in one sentence, which names are images."""

from __future__ import annotations

import contextlib
import errno
import shutil
from pathlib import Path
from typing import Iterator

from ....errors import DataError
from ....utils.walk import walk_folders

IMAGE_SUFFIXES = frozenset({'.jpg', '.jpeg', '.png', '.tif', '.tiff', '.bmp', '.webp'})
CHUNK = 1 << 20
FULL = (errno.ENOSPC, getattr(errno, 'EDQUOT', errno.ENOSPC))


def in_words(size: int) -> str:
    """Bytes -> ``'1.5 GiB'``."""
    value = float(size)
    for unit in ('bytes', 'KiB', 'MiB'):
        if value < 1024:
            return f'{size} bytes' if unit == 'bytes' else f'{value:.1f} {unit}'
        value /= 1024
    return f'{value:.1f} GiB'


def is_image(name: str) -> bool:
    """Whether a file of this name is an image, and not what macOS adds to archives."""
    return Path(name).suffix.lower() in IMAGE_SUFFIXES and not Path(name).name.startswith('.')


def is_clutter(parts: tuple[str, ...]) -> bool:
    """What file managers leave in archives and folders: no part of any data set."""
    return '__MACOSX' in parts or parts[-1] in ('.DS_Store', 'Thumbs.db', 'desktop.ini') or parts[-1].startswith('._')


def walk_files(top: Path) -> Iterator[Path]:
    """All files below a folder in the order of their names; folders behind links are entered once."""
    for folder, _, names in walk_folders(top):
        for name in names:
            path = Path(folder, name)
            if not is_clutter(path.relative_to(top).parts) and path.is_file():
                yield path


@contextlib.contextmanager
def one_sentence(where: Path) -> Iterator[None]:
    """Turn what the operating system says while ``where`` is written into a `DataError`.

    Raises:
        DataError: disk full, no permission, a name that is too long and the like.
    """
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise DataError(f'the disk of {where} is full; free space there, or choose another folder') from error
        name = error.filename if error.filename is not None else where
        raise DataError(
            f'{name} cannot be read or written ({error.strerror or error}); check it and run again'
        ) from error


def check_space(where: Path, needed: int) -> None:
    """Refuse early what cannot fit.

    Args:
        where: an existing folder of the disk.
        needed: bytes.

    Raises:
        DataError: less is free.
    """
    free = shutil.disk_usage(where).free
    if needed > free:
        raise DataError(
            f'the disk of {where} has {in_words(free)} free and {in_words(needed)} are needed; free space there, or '
            'choose another folder'
        )
