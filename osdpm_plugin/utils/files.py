"""Files that are either complete or absent, and a walk through folders."""

from __future__ import annotations

import contextlib
import json
import os
import re
from pathlib import Path
from typing import Any, BinaryIO, Callable, Iterator, Optional, Union

from ..errors import ConfigError


@contextlib.contextmanager
def atomic_file(path: Union[str, Path], temporary: str) -> Iterator[BinaryIO]:
    """Open a file that gets the name ``path`` in one step when the block ends, flushed to the disk.

    Args:
        path: the file; its folder is made if there is none.
        temporary: where the content is written until then, in the same folder; it is removed when the block fails.

    Raises:
        OSError: disk full, no permission; ``path`` is as it was before.
    """
    os.makedirs(os.path.dirname(path) or '.', exist_ok=True)
    try:
        with open(temporary, 'wb') as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.remove(temporary)
        raise


def write_atomically(path: str, write: Callable[[BinaryIO], object], key: str) -> None:
    """Write a file beside ``path`` and move it into place, so that a failure leaves an older file as it was.

    Args:
        path: the file; its folder is created.
        write: writes the content to an open binary file.
        key: the config key that named ``path``, for messages.

    Raises:
        ConfigError: the operating system refused.
    """
    path = os.path.abspath(path)
    partial = os.path.join(os.path.dirname(path), f'.{os.path.basename(path)}.{os.getpid()}.partial')
    try:
        with atomic_file(path, partial) as file:
            write(file)
    except OSError as error:
        raise ConfigError(
            f'{key}={path!r} cannot be written: {error}; name a file in a folder that you may write to, '
            'on a disk with space'
        ) from error


def write_text(path: Union[str, Path], text: str, key: str) -> None:
    """`write_atomically` of UTF-8 text."""
    write_atomically(str(path), lambda file: file.write(text.encode()), key)


def write_json(path: Union[str, Path], content: Any, key: str) -> None:
    """`write_atomically` of JSON in UTF-8.

    Raises:
        ConfigError: the operating system refused.
        ValueError: a number is not finite.
    """
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + '\n', key)


def walk_folders(
    top: Union[str, os.PathLike[str]], *, onerror: Optional[Callable[[OSError], object]] = None
) -> Iterator[tuple[str, list[str], list[str]]]:
    """``os.walk`` in the order of names, which follows links and enters each folder once, by whatever path.

    Args:
        top: where to begin.
        onerror: is called with the error of each folder that cannot be read; None: such folders are skipped.

    Yields:
        folder, names of the folders in it (which may be cut down in place), names of its files.
    """
    seen = set()
    for folder, folders, names in os.walk(os.fspath(top), onerror=onerror, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders.sort()
        yield folder, folders, sorted(names)


def noted_name(path: str) -> str:
    """The name of the file that a path of another time or machine ends with; '' where it names none.

    Example:
        >>> noted_name('/gone/run/epoch_3.pth'), noted_name('run/..')
        ('epoch_3.pth', '')
    """
    name = re.split(r'[/\\]', path.strip())[-1]
    return '' if name in ('.', '..') or '\0' in name else name
