"""One scene to be searched: where it is, what is known of it, and how one sees that it has changed."""

from __future__ import annotations

import hashlib
import os
import re
from datetime import datetime
from typing import Mapping, NamedTuple, Optional

_NAME_BYTES = 80


class Source(NamedTuple):
    """A scene.

    Attributes:
        address: absolute path, or http(s) address.
        signature: changes with the content of the file.
        datetime: acquisition, in UTC; None: what the file's own tags say.
        attributes: name -> value, for filters.
        mask: address of a raster that is not 0 where pixels must not be used, such as clouds; None without.
    """

    address: str
    signature: str
    datetime: Optional[datetime] = None
    attributes: Mapping[str, str] = {}
    mask: Optional[str] = None

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
    stem = os.path.splitext(os.path.basename(address.rstrip('/')))[0]
    name = re.sub(r'[^\w.-]+', '_', stem).strip('.') or 'scene'
    name = name.encode()[:_NAME_BYTES].decode(errors='ignore')
    return f'{name}-{hashlib.blake2b(os.fsencode(address), digest_size=6).hexdigest()}'


def file_signature(path: str) -> str:
    """Size and time of the last change; any other time than before counts, since clocks go backward too.

    Raises:
        OSError: the file is not there.
    """
    state = os.stat(path)
    return f'{state.st_size}-{state.st_mtime_ns}'
