"""What a user calls a scene -> its id."""

from __future__ import annotations

import os
from typing import Mapping

from ..errors import ConfigError
from .records import SceneRecord

SHOWN = 3


def find_scene(records: Mapping[str, SceneRecord], name: str) -> str:
    """The id of a scene.

    Args:
        records: of the archive, by id.
        name: id, address, path, or the name of its file with or without ending.

    Raises:
        ConfigError: there is none of this name, or several.
    """
    if name in records:
        return name
    by_address = [scene for scene, r in records.items() if r.source in (name, os.path.abspath(name))]
    by_name = [scene for scene, r in records.items() if name in _names(r.source)]
    found = by_address or by_name
    if len(found) == 1:
        return found[0]
    if found:
        raise ConfigError(f'{len(found)} scenes are called {name}; name one by its id, such as {found[0]}')
    shown = ', '.join(list(records)[:SHOWN]) + (' ...' if len(records) > SHOWN else '')
    raise ConfigError(f'the archive has no scene {name!r}; it has {len(records)}: {shown}')


def _names(address: str) -> tuple[str, str]:
    name = os.path.basename(address)
    return name, os.path.splitext(name)[0]
