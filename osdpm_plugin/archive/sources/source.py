"""One scene to be searched: where it is, what is known of it, and how one sees that it has changed."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from datetime import datetime
from typing import Mapping, NamedTuple, Optional
from urllib.parse import unquote, urlsplit, urlunsplit

from ...errors import DataError
from ..remote import look, web_address

_NAME_BYTES = 80


class Source(NamedTuple):
    """A scene.

    Attributes:
        address: absolute path, or http(s) address.
        signature: changes with the content of the file, and of its mask.
        datetime: acquisition, in UTC; None: what the file's own tags say.
        attributes: name -> value, for filters.
        mask: address of a raster that is not 0 where pixels must not be used, such as clouds; None without.
        assume_crs: well-known text of the CRS of a file that has coordinates but names none.
    """

    address: str
    signature: str
    datetime: Optional[datetime] = None
    attributes: Mapping[str, str] = {}
    mask: Optional[str] = None
    assume_crs: Optional[str] = None

    @property
    def scene(self) -> str:
        """The id of the scene: its file's name without ending, and twelve digits of its address."""
        return scene_id(self.address)


class Failure(NamedTuple):
    """A scene that is left out.

    Attributes:
        address: of the scene, or what was to name it.
        reason: one sentence.
    """

    address: str
    reason: str


def scene_id(address: str) -> str:
    """Address -> name and hash, which can be the name of a folder."""
    name = re.sub(r'[^\w.-]+', '_', stem_of(address)).strip('.') or 'scene'
    name = name.encode()[:_NAME_BYTES].decode(errors='ignore')
    return f'{name}-{hashlib.blake2b(os.fsencode(address), digest_size=6).hexdigest()}'


def name_of(address: str) -> str:
    """The name of a scene's file."""
    path = unquote(urlsplit(address).path) if web_address(address) else address
    return os.path.basename(path.rstrip('/'))


def stem_of(address: str) -> str:
    """The name of a scene's file without its ending."""
    return os.path.splitext(name_of(address))[0]


def folder_of(address: str) -> str:
    """Path or http(s) address of the folder of a scene, without a slash at its end."""
    if web_address(address):
        parts = urlsplit(address)
        return urlunsplit((parts.scheme, parts.netloc, os.path.dirname(parts.path), '', '')).rstrip('/')
    return os.path.dirname(address)


def file_signature(path: str) -> str:
    """Size and time of the last change; any other time than before counts, since clocks go backward too.

    Raises:
        OSError: the file is not there.
    """
    state = os.stat(path)
    return f'{state.st_size}-{state.st_mtime_ns}'


def signature_of(address: str) -> str:
    """What changes with the content of a file or of what stands behind an http(s) address.

    Raises:
        DataError: it is not there, or no file.
    """
    if web_address(address):
        return look(address).signature
    try:
        address.encode()
        if stat.S_ISREG(os.stat(address).st_mode):
            return file_signature(address)
    except UnicodeEncodeError as error:
        raise DataError('its name is not in UTF-8; rename it') from error
    except (OSError, ValueError) as error:
        raise DataError(f'it cannot be found ({getattr(error, "strerror", None) or error})') from error
    raise DataError('it is no file')
