"""Files of a data set: which they are, and errors of the disk as one sentence."""

from __future__ import annotations

import contextlib
import errno
import re
from pathlib import Path
from typing import Iterator

from ....errors import DataError
from ....utils.files import walk_folders

IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.tif', '.tiff', '.bmp', '.webp')
_CLUTTER = re.compile(r'(^|/)(__MACOSX/|\._|\.DS_Store$|Thumbs\.db$|desktop\.ini$)|\.preparing\.[^/]*/')


def is_image(name: str) -> bool:
    """Whether a file of this name is an image, and not what macOS adds to archives."""
    return Path(name).suffix.lower() in IMAGE_SUFFIXES and not Path(name).name.startswith('.')


def walk_files(top: Path) -> Iterator[Path]:
    """All files below a folder, sorted by name; linked folders are entered once. A file gives itself.

    Files that file managers or killed runs of `prepare` leave behind are skipped.
    """
    if top.is_file():
        yield top
    for folder, _, names in walk_folders(top):
        for name in names:
            path = Path(folder, name)
            if not _CLUTTER.search(path.relative_to(top).as_posix()) and path.is_file():
                yield path


@contextlib.contextmanager
def one_sentence(where: Path) -> Iterator[None]:
    """An error of the operating system while ``where`` is written -> a `DataError`.

    Raises:
        DataError: disk full, no permission, a name that is too long and the like.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, getattr(errno, 'EDQUOT', errno.ENOSPC)):
            raise DataError(f'the disk of {where} is full; free space there, or choose another folder') from error
        name = error.filename if error.filename is not None else where
        raise DataError(
            f'{name} cannot be read or written ({error.strerror or error}); check it and run again'
        ) from error
