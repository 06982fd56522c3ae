"""Folder -> the folders in and below it, behind links too."""

from __future__ import annotations

import os
from typing import Callable, Iterator, Optional, Union


def walk_folders(
    top: Union[str, os.PathLike[str]], *, onerror: Optional[Callable[[OSError], object]] = None
) -> Iterator[tuple[str, list[str], list[str]]]:
    """``os.walk`` in the order of names that follows links, and enters each folder once, whatever leads to it.

    Args:
        top: where to begin.
        onerror: is told of each folder that cannot be read; None: those are passed over.

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
