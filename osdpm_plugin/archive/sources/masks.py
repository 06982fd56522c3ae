"""A scene's address -> that of its mask, by a pattern."""

from __future__ import annotations

import os
import re

from ...errors import ConfigError
from ..remote import web_address
from .source import folder_of, stem_of


class MaskPattern:
    """Name masks after their scenes.

    Args:
        pattern: with ``{stem}`` and ``{folder}`` of the scene, such as ``{folder}/masks/{stem}.tif``; or what stands
            behind the stem, such as ``_cloudmask.tif``.

    Raises:
        ConfigError: it is empty or has other names in braces.
    """

    def __init__(self, pattern: str) -> None:
        unknown = sorted(set(re.findall(r'\{[^}]*\}?', pattern)) - {'{stem}', '{folder}'})
        if unknown or not pattern:
            reason = f'has {unknown[0]}' if unknown else 'is empty'
            raise ConfigError(f'mask={pattern!r} {reason}; write e.g. {{folder}}/{{stem}}_mask.tif or _mask.tif')
        self.pattern = pattern if '{' in pattern else '{stem}' + pattern

    def __call__(self, address: str) -> str:
        """Address of a scene -> absolute path or http(s) address of its mask."""
        folder = folder_of(address)
        name = self.pattern.replace('{folder}', folder).replace('{stem}', stem_of(address))
        path = os.path.join(folder, name)
        return web_address(name) or web_address(path) or os.path.abspath(path)
