"""Address, size and hash -> the file, complete and verified. An interrupted download is continued."""

from __future__ import annotations

import http.client
import os
import socket
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ....errors import DataError
from ....utils.hashing import CHUNK, sha256_of
from .files import format_size, one_sentence

_AGAIN = 'run again to continue from there'
_REASONS = {
    401: 'it asks for a password',
    403: 'the server refuses it, perhaps because a quota is used up',
    404: 'it no longer exists',
    416: 'it is another file now',
    429: 'too many downloads at a time',
}


def download(url: str, target: Path, *, size: int, sha256: str, timeout: float = 30.0, progress: bool = False) -> Path:
    """Fetch a file of known size and hash. It appears at ``target`` only when both are right.

    The bytes so far are in ``<target>.part``; the next call continues from there if the server supports it (HTTP
    Range), else starts again. A complete file is not downloaded again.

    Args:
        url: http or https.
        target: file to write; its folder is made.
        size: bytes.
        sha256: of the content, hexadecimal.
        timeout: seconds without an answer.
        progress: show a bar.

    Returns:
        ``target``.

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
        digest = sha256_of(part)
        if digest != sha256.lower():
            part.unlink()
            raise DataError(
                f'{url} has the SHA-256 {digest}, expected {sha256.lower()}; the download was deleted, run again'
            )
        os.replace(part, target)
    return target


def _fetch(url: str, part: Path, have: int, size: int, timeout: float, progress: bool) -> None:
    """Append the rest to ``part``, or write it from the start if the server does not support ranges."""
    with _open(url, have, timeout) as response:
        arrived = have if response.status == 206 else 0
        if arrived and not response.headers.get('Content-Range', '').startswith(f'bytes {have}-'):
            raise DataError(f'{response.url} answered with another range than the one asked for; delete the .part file')
        announced = response.headers.get('Content-Length', '')
        if announced.isdigit() and arrived + int(announced) != size:  # refused before anything is written
            page = ', a web page' if 'text/html' in response.headers.get('Content-Type', '') else ''
            raise DataError(
                f'{url} has {arrived + int(announced)} bytes{page}, expected {size} ({format_size(size)}); it is '
                'another file now'
            )
        disable = None if progress else True
        bar = tqdm(total=size, initial=arrived, desc=part.stem, unit='B', unit_scale=True, disable=disable)
        with open(part, 'ab' if arrived else 'wb') as file, bar:
            while arrived <= size:
                try:
                    chunk = response.read(CHUNK)
                except (http.client.HTTPException, OSError) as error:
                    raise DataError(
                        f'{url} broke off after {arrived} of {size} bytes ({_reason(error)}); {_AGAIN}'
                    ) from error
                if not chunk:
                    break
                arrived += file.write(chunk)
                bar.update(len(chunk))
    if arrived > size:
        part.unlink()
        raise DataError(f'{url} is longer than the {size} bytes expected; it is another file now')
    if arrived < size:
        raise DataError(f'{url} ended after {arrived} of {size} bytes; {_AGAIN}')


def _open(url: str, have: int, timeout: float) -> Any:
    headers = {'User-Agent': 'osdpm_plugin', 'Accept-Encoding': 'identity'}
    if have:
        headers['Range'] = f'bytes={have}-'
    try:
        return urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=timeout)
    except urllib.error.HTTPError as error:
        reason = _REASONS.get(error.code, str(error.reason))
        raise DataError(f'{url} cannot be fetched: HTTP {error.code}, {reason}; fetch it with a browser') from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise DataError(f'{url} cannot be reached ({_reason(error)}); check the network and run again') from error


def _reason(error: BaseException) -> str:
    cause = getattr(error, 'reason', error)
    return 'no answer in time' if isinstance(cause, socket.timeout) else str(cause) or type(cause).__name__
