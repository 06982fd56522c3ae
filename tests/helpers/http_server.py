"""A web server of this machine with the faults of real ones."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Callable, Iterator, Optional
from urllib.parse import unquote, urlsplit

Fault = Optional[str]


class Served:
    """What a server holds and has been asked.

    Attributes:
        folder: its files.
        address: ``http://127.0.0.1:port``.
        fault: number of a request from 0, its method and its path -> how it fails: ``busy`` (503), ``reset``, ``slow``
            (half a second before the first byte), ``short`` (half of the body), ``refused`` (405) or None.
        types: suffix -> content type.
        etags: whether it tells them.
        redirect: where everything is said to have moved; None: nowhere.
        requests: method and path of each request.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.address = ''
        self.fault: Callable[[int, str, str], Fault] = lambda number, method, path: None
        self.types: dict[str, str] = {}
        self.etags = True
        self.redirect: Optional[str] = None
        self.requests: list[tuple[str, str]] = []

    def url(self, name: str) -> str:
        return f'{self.address}/{name}'


@contextlib.contextmanager
def serve(folder: Path) -> Iterator[Served]:
    """Serve a folder on a free port, ranges of bytes too, until the block ends."""
    served = Served(folder)
    handler = type('Handler', (_Handler,), dict(served=served))
    server = ThreadingHTTPServer(('127.0.0.1', 0), handler)
    served.address = f'http://127.0.0.1:{server.server_address[1]}'
    thread = threading.Thread(target=server.serve_forever, kwargs=dict(poll_interval=0.02), daemon=True)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    served: Served

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):
            super().handle()

    def log_message(self, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        served = self.served
        number = len(served.requests)
        served.requests.append((self.command, self.path))
        fault = served.fault(number, self.command, self.path)
        if fault == 'reset':
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
            self.connection.close()  # sends RST
            self.close_connection = True
            return
        if fault in ('busy', 'refused'):
            return self._send(503 if fault == 'busy' else 405, b'later', {})
        if served.redirect is not None:
            return self._send(302, b'', {'Location': served.redirect})
        if fault == 'slow':
            time.sleep(0.5)
        file = served.folder / unquote(urlsplit(self.path).path).lstrip('/')
        if not file.is_file():
            return self._send(404, b'nothing', {})
        content = file.read_bytes()
        headers = {'Accept-Ranges': 'bytes'}
        if served.etags:
            headers['ETag'] = f'"{os.stat(file).st_mtime_ns:x}"'
        if file.suffix in served.types:
            headers['Content-Type'] = served.types[file.suffix]
        asked = re.fullmatch(r'bytes=(\d+)-(\d*)', self.headers.get('Range', ''))
        if asked:
            first, last = int(asked[1]), min(int(asked[2] or len(content)), len(content) - 1)
            if first >= len(content):
                return self._send(416, b'', {'Content-Range': f'bytes */{len(content)}'})
            headers['Content-Range'] = f'bytes {first}-{last}/{len(content)}'
            return self._send(206, content[first : last + 1], headers, short=fault == 'short')
        self._send(200, content, headers, short=fault == 'short')

    def _send(self, code: int, body: bytes, headers: dict[str, str], short: bool = False) -> None:
        with contextlib.suppress(ConnectionError):
            self.send_response(code)
            for name, value in {**headers, 'Content-Length': str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != 'HEAD':
                self.wfile.write(body[: len(body) // 2] if short else body)
        if short:
            self.close_connection = True
