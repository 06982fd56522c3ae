"""What a user names on the command line -> scenes, not yet looked at."""

from __future__ import annotations

import glob
import os
from typing import Iterable, Iterator, Union

from ...errors import DataError
from ...utils.files import walk_folders
from ..raster_file import SUFFIXES
from ..remote import look, web_address
from .source import Failure, Source, name_of
from .stac import stac_scenes

_STAC, _LIST = ('.json', '.geojson'), '.txt'
Found = Iterator[Union[Source, Failure]]


def scenes_named(arguments: Iterable[str]) -> Found:
    """Scenes, without signature, and what names none.

    Args:
        arguments: raster files, folders, patterns of `glob` with ``**``, lists of such (.txt, one a line, relative to
            the list, ``#`` for comments), STAC (.json), http(s) addresses, also with ``/vsicurl/``.
    """
    for argument in arguments:
        yield from _named(os.fspath(argument), base='', lists=True)


def _named(text: str, *, base: str, lists: bool) -> Found:
    address = web_address(text)
    if address is not None:
        yield from _of_the_web(address)
    elif text.startswith('/vsi') or '://' in text:
        yield Failure(text, 'only files and http(s) addresses are read; copy it to a disk')
    elif '\0' in text or not text:
        yield Failure(text, 'it is no path')
    else:
        yield from _local(os.path.abspath(os.path.join(base, text)), lists=lists)


def _local(path: str, *, lists: bool) -> Found:
    suffix = os.path.splitext(path)[1].lower()
    if os.path.isdir(path):
        yield from _in_folder(path)
    elif not os.path.exists(path) and glob.has_magic(path):
        matches = [match for match in sorted(glob.glob(path, recursive=True)) if _fits(match, suffix)]
        if not matches:
            yield Failure(path, 'no scene is like this pattern; put it in quotes, and ** for any folders')
        for match in matches:
            yield from _local(match, lists=lists)
    elif suffix in _STAC:
        yield from stac_scenes(path)
    elif suffix == _LIST:
        if lists:
            yield from _in_list(path)
        else:
            yield Failure(path, 'a list cannot name another list; name both')
    else:
        yield Source(path, '')


def _fits(path: str, suffix: str) -> bool:
    """Whether a file that a pattern finds is wanted: a scene, or what the pattern's own ending names."""
    return os.path.isdir(path) or os.path.splitext(path)[1].lower() in (*SUFFIXES, suffix)


def _in_folder(path: str) -> Found:
    """Rasters in a folder and below, in the order of names; hidden ones are left out."""
    errors: list[OSError] = []
    for folder, folders, names in walk_folders(path, onerror=errors.append):
        folders[:] = [name for name in folders if not name.startswith('.')]
        for name in names:
            if name.lower().endswith(SUFFIXES) and not name.startswith('.'):
                yield Source(os.path.join(folder, name), '')
    for error in errors:
        yield Failure(str(error.filename), f'the folder cannot be read ({error.strerror})')


def _in_list(path: str) -> Found:
    try:
        with open(path, encoding='utf-8-sig') as file:
            lines = [line.strip() for line in file]
    except (OSError, UnicodeDecodeError) as error:
        yield Failure(path, f'the list cannot be read ({error}); write one path or address a line, in UTF-8')
        return
    for line in lines:
        if line and not line.startswith('#'):
            yield from _named(line, base=os.path.dirname(path), lists=False)


def _of_the_web(address: str) -> Found:
    suffix = os.path.splitext(name_of(address))[1].lower()
    try:
        if suffix in _STAC or (suffix not in SUFFIXES and look(address).is_json):
            yield from stac_scenes(address)
        else:
            yield Source(address, '')
    except DataError as error:
        yield Failure(address, str(error))
