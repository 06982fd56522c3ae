"""http(s) addresses -> what their servers say of them, and small files; faults of a moment are waited out."""

from __future__ import annotations

import re
import time
from http.client import HTTPException, HTTPResponse
from typing import Callable, NamedTuple, Optional, TypeVar
from urllib import request
from urllib.error import HTTPError
from urllib.parse import quote

from ..errors import DataError
from ..version import __version__

PAUSES = (0.5, 1.0, 2.0, 4.0)  # seconds between attempts
TIMEOUT = 30.0  # seconds without a byte
BUSY = (429, 500, 502, 503, 504)
_GDAL_PREFIX = '/vsicurl/'
_T = TypeVar('_T')


class Answer(NamedTuple):
    """What a server says of a file.

    Attributes:
        signature: changes with the content; always the same where the server says neither size, tag nor date.
        size: bytes; None if unknown.
        is_json: whether it is JSON by its content type.
    """

    signature: str
    size: Optional[int]
    is_json: bool


def web_address(text: str) -> Optional[str]:
    """An http(s) address, or one for GDAL's ``/vsicurl/``, as ASCII; None for anything else.

    Example:
        >>> web_address('/vsicurl/https://example.org/a b.tif')
        'https://example.org/a%20b.tif'
    """
    text = text[len(_GDAL_PREFIX) :] if text.startswith(_GDAL_PREFIX) else text
    if not re.match(r'https?://[^/\s]', text, re.IGNORECASE):
        return None
    return quote(text, safe="%/:=&?~#+!$,;'@()*[]", errors='surrogateescape')


def look(address: str) -> Answer:
    """Ask for the headers of a file, or for its first byte where HEAD is refused.

    Raises:
        DataError: there is no such file, or its server does not answer; the sentence has no address.
    """

    def ask() -> Answer:
        try:
            return _attempt(lambda: _answer('HEAD', address))
        except HTTPError:
            return _attempt(lambda: _answer('GET', address))

    return _in_words(ask)


def fetch(address: str, most: int) -> bytes:
    """The content of a small file.

    Raises:
        DataError: there is no such file, its server does not answer, or it has more than ``most`` bytes; the sentence
            has no address.
    """

    def read() -> bytes:
        with _open('GET', address) as response:
            content = response.read(most + 1)
            length = response.headers.get('Content-Length', '')
            if length.isdigit() and len(content) < min(int(length), most + 1):
                raise ConnectionError('it was cut off')
            return content

    content = _in_words(lambda: _attempt(read))
    if len(content) > most:
        raise DataError(f'it has more than {most} bytes')
    return content


def _answer(method: str, address: str) -> Answer:
    with _open(method, address, {'Range': 'bytes=0-0'} if method == 'GET' else {}) as response:
        headers = response.headers
    total = re.search(r'/(\d+)$', headers.get('Content-Range', ''))
    length = total[1] if total else headers.get('Content-Length', '')
    tag = headers.get('ETag') or headers.get('Last-Modified') or ''
    return Answer(f'{length}-{tag}', int(length) if length.isdigit() else None, 'json' in headers.get_content_type())


def _open(method: str, address: str, headers: Optional[dict[str, str]] = None) -> HTTPResponse:
    asked = request.Request(address, method=method, headers={'User-Agent': f'osdpm/{__version__}', **(headers or {})})
    return _opener().open(asked, timeout=TIMEOUT)


def _opener() -> request.OpenerDirector:
    """One that knows http and https alone, so that no redirection leads to a file or elsewhere."""
    opener = request.OpenerDirector()
    for handler in (
        request.ProxyHandler,
        request.HTTPHandler,
        request.HTTPSHandler,
        request.HTTPRedirectHandler,
        request.HTTPErrorProcessor,
        request.HTTPDefaultErrorHandler,
        request.UnknownHandler,
    ):
        opener.add_handler(handler())
    return opener


def _attempt(action: Callable[[], _T]) -> _T:
    """Do something, again after pauses while the server is busy or connections break."""
    for pause in PAUSES:
        try:
            return action()
        except HTTPError as error:
            if error.code not in BUSY:
                raise
        except (OSError, HTTPException):
            pass
        time.sleep(pause)
    return action()


def _in_words(action: Callable[[], _T]) -> _T:
    try:
        return action()
    except HTTPError as error:
        raise DataError(f'its server answers {error.code} ({error.reason})') from error
    except (OSError, HTTPException, ValueError) as error:
        words = getattr(error, 'reason', None) or error
        raise DataError(f'its server cannot be reached ({" ".join(str(words).split())})') from error
