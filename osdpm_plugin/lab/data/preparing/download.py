"""Address, size and hash -> the file, complete and verified. An interrupted download is continued."""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import urllib.error
import urllib.request
from pathlib import Path

from tqdm import tqdm

from ....errors import DataError
from ....utils.hashing import CHUNK, sha256_of
from .files import one_sentence

_AGAIN = 'run again to continue from there'
_REASONS = {
    401: 'it asks for a password',
    403: 'the server refuses it, perhaps because a quota is used up',
    404: 'it no longer exists',
    416: 'it is another file now',
    429: 'too many downloads at a time',
}


def download(url: str, target: Path, *, size: int, sha256: str, timeout: float = 30.0, progress: bool = False) -> Path:
    """Fetch a file of known size and hash to ``target``, where it appears only when both are right; returns ``target``.

    The bytes so far are in ``<target>.part``; the next call continues from there if the server supports it (HTTP
    Range), else starts again. A complete file is not downloaded again.

    Args:
        target: file to write; its folder is made.
        sha256: of the content, hexadecimal.
        timeout: seconds without an answer.

    Raises:
        DataError: another file is at ``target``; the address is gone, refused or silent; the content is of another size
            or hash; the disk is full.
    """
    if not url.lower().startswith(('http://', 'https://')):
        raise DataError(f'{url} is not an http or https address')
    part = target.with_name(f'{target.name}.part')
    with one_sentence(target):
        if target.exists():
            if target.stat().st_size == size and sha256_of(target) == sha256.lower():
                return target
            raise DataError(f'{target} exists and is not the file at {url}; delete it and run again')
        target.parent.mkdir(parents=True, exist_ok=True)
        have = part.stat().st_size if part.exists() else 0
        if have != size:
            _fetch(url, part, have if have < size else 0, size, timeout, progress)
        if part.stat().st_size != size or sha256_of(part) != sha256.lower():
            part.unlink()
            raise DataError(
                f'{url} is not the file of {size} bytes with the SHA-256 {sha256.lower()}; the download was deleted, '
                'run again'
            )
        os.replace(part, target)
    return target


def _fetch(url: str, part: Path, have: int, size: int, timeout: float, progress: bool) -> None:
    """Append the rest to ``part``, or write it from the start if the server does not support ranges."""
    headers = {'User-Agent': 'osdpm_plugin', 'Accept-Encoding': 'identity'}
    if have:
        headers['Range'] = f'bytes={have}-'
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=timeout) as response:
            arrived = have if response.status == 206 else 0
            announced = arrived + int(response.headers.get('Content-Length', size - arrived))
            if announced != size:  # refused before anything is written
                raise DataError(f'{url} has {announced} bytes, expected {size}; it is another file or a web page now')
            bar = dict(total=size, initial=arrived, desc=part.stem, disable=None if progress else True)
            with open(part, 'ab' if arrived else 'wb') as file, tqdm.wrapattr(file, 'write', **bar) as out:
                shutil.copyfileobj(response, out, CHUNK)
    except urllib.error.HTTPError as error:
        reason = _REASONS.get(error.code, str(error.reason))
        raise DataError(f'{url} cannot be fetched: HTTP {error.code}, {reason}; fetch it with a browser') from error
    except (urllib.error.URLError, http.client.HTTPException, ConnectionError, socket.timeout) as error:
        reason = str(getattr(error, 'reason', error)) or type(error).__name__
        raise DataError(f'{url} cannot be reached, or broke off ({reason}); check the network and {_AGAIN}') from error
    arrived = part.stat().st_size
    if arrived < size:
        raise DataError(f'{url} ended after {arrived} of {size} bytes; {_AGAIN}')
