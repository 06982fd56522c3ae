"""Names of images as annotation files spell them -> one name for each file."""

from __future__ import annotations

import logging
import re
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Optional, Sequence

from mmengine.logging import print_log

from ...errors import DataError


def usual_name(filename: str) -> str:
    r"""``airport\a.jpg``, ``./airport/a.jpg`` and ``airport//a.jpg`` are ``airport/a.jpg``."""
    return PurePosixPath(filename.replace('\\', '/')).as_posix()


class FileNames:
    """Spellings of file names -> names relative to the folder of images.

    Absolute names become relative: to the folder of images if they begin with it; else the part that all of them begin
    with is left out, if what remains of the first one is a file in the folder of images. So a table that was made on
    another machine can be read.

    Args:
        path: the annotation file, for messages.
        images: folder of images.
    """

    def __init__(self, path: Path, images: Path) -> None:
        self._path = path
        self._images = Path(images)
        self._start: Optional[tuple[str, ...]] = None

    def __call__(self, filename: str, where: str) -> str:
        """The one name of a file.

        Raises:
            DataError: no file name, an address, or a name outside of the folder of images.
        """
        where = f'annotation file {self._path}: {where}'
        parts = PureWindowsPath(filename).parts  # accepts both separators
        if len(parts) > 1 and is_absolute(filename) and '..' not in parts and is_unicode(filename):
            start = self._start or self._find_start(parts)
            if start is not None and parts[: len(start)] == start and len(parts) > len(start):
                self._start = start
                filename = '/'.join(parts[len(start) :])
        check_filename(filename, where)
        if usual_name(filename) == '.':
            raise DataError(f'{where} has the file name {filename!r}, which is no file name')
        return usual_name(filename)

    def _find_start(self, parts: tuple[str, ...]) -> Optional[tuple[str, ...]]:
        """The first parts of an absolute name, which stand for the folder of images."""
        try:
            for folder in (self._images.absolute(), self._images.resolve()):
                own = PureWindowsPath(folder.as_posix()).parts
                if parts[: len(own)] == own:
                    return own
            for n in range(1, len(parts)):
                if self._images.joinpath(*parts[n:]).is_file():
                    print_log(
                        f'{self._path}: absolute file names are taken for names in {self._images}, without their '
                        f'beginning {PureWindowsPath(*parts[:n]).as_posix()!r}',
                        logger='current',
                        level=logging.WARNING,
                    )
                    return parts[:n]
        except (OSError, ValueError, RuntimeError):  # a name that no file can have, or a loop of links
            pass
        return None


def is_absolute(filename: str) -> bool:
    """Whether a name begins at a root or names a drive, on any system."""
    path = PureWindowsPath(filename)
    return bool(path.drive or path.root)


def check_filename(filename: str, where: str) -> None:
    """Make sure that a name is relative and stays in the folder of images.

    Raises:
        DataError: it is not; the sentence begins with ``where``.
    """
    if not filename.strip() or any(ord(c) < 32 for c in filename) or not is_unicode(filename):
        raise DataError(f'{where} has the file name {filename!r}, which is no file name')
    if re.match(r'\w[\w+.-]+://', filename):
        raise DataError(f'{where} has the address {filename!r}; download the images and name the files')
    path = PureWindowsPath(filename)
    if is_absolute(filename) or '..' in path.parts:
        raise DataError(
            f'{where} has the file name {filename!r}; names must be relative to the folder of images, or begin with it'
        )


def is_unicode(text: str) -> bool:
    """Whether a text can be written as UTF-8: JSON can hold half a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def name_some(names: Sequence[str], most: int = 3) -> str:
    """The first names of a list, in one line for messages."""
    shown = [name if name.isprintable() else repr(name) for name in names[:most]]
    return ', '.join(shown) + (', ...' if len(names) > most else '')
