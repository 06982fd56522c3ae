"""What a STAC catalogue may name and how much of it is read, since a stranger may have written it."""

from __future__ import annotations

import json
import os
import re
import stat
from typing import Any, Optional
from urllib.parse import unquote, urljoin, urlsplit

from ...errors import DataError
from ..remote import fetch, web_address

MOST_BYTES = 64 << 20  # of one document; an item has a few thousand
_SHOWN = 120  # characters of a stranger's text in a sentence


class StacFiles:
    """The documents of one catalogue. pystac is given what is read here and opens nothing itself.

    Args:
        root: absolute path or http(s) address of the document that the user named. A local one may name files of its
            own folder and below, and http(s) addresses; one of the web http(s) addresses alone.
    """

    def __init__(self, root: str) -> None:
        self.folder = None if web_address(root) else os.path.realpath(os.path.dirname(root))

    def resolve(self, href: str, base: str) -> str:
        """What a document names -> absolute path or http(s) address.

        Args:
            href: as it stands there.
            base: address of the document.

        Raises:
            DataError: it may not be named.
        """
        address = web_address(href) or (web_address(urljoin(base, href)) if web_address(base) else None)
        if address is not None:
            return address
        path = None if web_address(base) else _local_path(href)
        if path is None:
            raise DataError(
                f'{shorten(href)} is not read: only http(s) addresses and files beside a local catalogue are'
            )
        candidates = [os.path.normpath(os.path.join(os.path.dirname(base), text)) for text in (path, unquote(path))]
        path = candidates[0] if os.path.lexists(candidates[0]) else candidates[1]
        if self.folder is None or os.path.commonpath([os.path.realpath(path), self.folder]) != self.folder:
            raise DataError(
                f'{shorten(href)} lies outside of the folder of the catalogue, {self.folder}; name the file itself'
            )
        return path

    def read(self, address: str) -> dict[str, Any]:
        """The content of a document.

        Raises:
            DataError: it is not there, too large, or no STAC.
        """
        data = fetch(address, MOST_BYTES) if web_address(address) else _read(address)
        try:
            content = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise DataError(f'it is no JSON that can be read ({error})') from error
        kind = kind_of(content)
        if kind is None:
            raise DataError('it is no STAC catalogue, collection, item or item collection')
        return content


def kind_of(content: Any) -> Optional[str]:
    """Catalog, Collection, Feature or FeatureCollection; None for anything else."""
    if not isinstance(content, dict):
        return None
    kind = content.get('type', 'Catalog' if 'stac_version' in content else None)  # before 1.0 catalogues had no type
    return kind if kind in ('Catalog', 'Collection', 'Feature', 'FeatureCollection') else None


def shorten(text: object) -> str:
    """A stranger's text in quotes, on one line."""
    shown = repr(text)
    return shown if len(shown) <= _SHOWN else f'{shown[:_SHOWN]}...'


def _local_path(href: str) -> Optional[str]:
    """A path, also of a file:// address of this machine; None for another file system."""
    if href.startswith('file://'):
        parts = urlsplit(href)
        href = unquote(parts.path) if parts.netloc in ('', 'localhost') else ''
    if not href or '\0' in href or href.startswith('/vsi') or re.match(r'[A-Za-z][\w+.-]*://', href):
        return None
    return href


def _read(path: str) -> bytes:
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise DataError('it is no file')
        with open(path, 'rb') as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise DataError(f'it cannot be read ({error.strerror})') from error
    if len(data) > MOST_BYTES:
        raise DataError(f'it has more than {MOST_BYTES} bytes')
    return data
