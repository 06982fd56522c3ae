"""The downloader against a server in a thread."""

from __future__ import annotations

import hashlib
import http.server
import re
import threading
import time

import numpy as np
import pytest

from osdpm_plugin.errors import DataError
from osdpm_plugin.lab.data.preparing import download

CONTENT = np.random.default_rng(0).bytes(300_000)
SIZE, SHA = len(CONTENT), hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server():
    """A server whose faults are attributes; ``asked`` collects (path, Range)."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            state, wanted = self.server, self.headers.get('Range')
            state.asked.append((self.path, wanted))
            if self.path[1:].isdigit():
                return self.send_error(int(self.path[1:]))
            if self.path == '/slow':
                return time.sleep(1)
            start = int(re.match(r'bytes=(\d+)-', wanted)[1]) if wanted and state.ranges else 0
            body = state.content[start:]
            self.send_response(206 if wanted and state.ranges else 200)
            if state.announce:
                self.send_header('Content-Length', str(len(body)))
            self.end_headers()
            self.wfile.write(body[: state.stop_after])
            return None

        def log_message(self, *args):
            pass

    httpd = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    httpd.content, httpd.ranges, httpd.announce, httpd.stop_after = CONTENT, True, True, None
    httpd.asked = []
    httpd.url = f'http://127.0.0.1:{httpd.server_port}'
    thread = threading.Thread(target=httpd.serve_forever, kwargs=dict(poll_interval=0.02), daemon=True)
    thread.start()
    yield httpd
    httpd.shutdown()
    httpd.server_close()


def fetch(server, target, path='/file', *, size=SIZE, sha256=SHA, timeout=5.0):
    return download(server.url + path, target, size=size, sha256=sha256, timeout=timeout)


def test_whole_file_once(server, tmp_path):
    target = tmp_path / 'new' / 'a.zip'
    assert fetch(server, target, sha256=SHA.upper()) == target
    assert target.read_bytes() == CONTENT
    assert fetch(server, target) == target  # nothing is asked again
    assert server.asked == [('/file', None)]
    assert [path.name for path in target.parent.iterdir()] == ['a.zip']


@pytest.mark.parametrize('ranges', [True, False])
def test_resumes(server, tmp_path, ranges):
    server.stop_after, server.ranges = 100_000, ranges
    with pytest.raises(DataError, match='(ended|broke off) after 100000 of 300000 bytes.*; run again to continue from'):
        fetch(server, tmp_path / 'a')
    assert not (tmp_path / 'a').exists()
    assert (tmp_path / 'a.part').read_bytes() == CONTENT[:100_000]
    server.stop_after = None
    assert fetch(server, tmp_path / 'a').read_bytes() == CONTENT
    assert server.asked == [('/file', None), ('/file', 'bytes=100000-')]
    assert not (tmp_path / 'a.part').exists()


def test_what_lies_there_already(server, tmp_path):
    (tmp_path / 'a.part').write_bytes(CONTENT)
    fetch(server, tmp_path / 'a')
    assert server.asked == []
    (tmp_path / 'b.part').write_bytes(CONTENT + b'x')
    assert fetch(server, tmp_path / 'b').read_bytes() == CONTENT
    assert server.asked == [('/file', None)]
    (tmp_path / 'c.part').write_bytes(b'other')
    with pytest.raises(DataError, match=f'is not the file of 300000 bytes with the SHA-256 {SHA}'):
        fetch(server, tmp_path / 'c')
    assert sorted(path.name for path in tmp_path.iterdir()) == ['a', 'b']
    (tmp_path / 'c').write_text('mine')
    with pytest.raises(DataError, match='exists and is not the file at'):
        fetch(server, tmp_path / 'c')
    assert (tmp_path / 'c').read_text() == 'mine'


def test_wrong_hash_and_wrong_size(server, tmp_path):
    with pytest.raises(DataError, match='is not the file of 300000 bytes with the SHA-256 000'):
        fetch(server, tmp_path / 'a', sha256='0' * 64)
    with pytest.raises(DataError, match=r'has 300000 bytes, expected 299999; it is another file or a web page now'):
        fetch(server, tmp_path / 'a', size=SIZE - 1)
    server.announce = False
    with pytest.raises(DataError, match='is not the file of 299999 bytes'):
        fetch(server, tmp_path / 'a', size=SIZE - 1)
    with pytest.raises(DataError, match='ended after 300000 of 300001 bytes'):
        fetch(server, tmp_path / 'b', size=SIZE + 1)
    assert [path.name for path in tmp_path.iterdir()] == ['b.part']


def test_answers_that_are_no_file(server, tmp_path):
    for path, sentence in (('/404', 'HTTP 404, it no longer exists'), ('/403', 'HTTP 403, the server refuses it')):
        with pytest.raises(DataError, match=sentence) as error:
            fetch(server, tmp_path / 'a', path)
        assert '\n' not in str(error.value)
    with pytest.raises(DataError, match=r'cannot be reached, or broke off \(timed out\)'):
        fetch(server, tmp_path / 'a', '/slow', timeout=0.2)


def test_nobody_there(tmp_path):
    with pytest.raises(DataError, match='cannot be reached'):
        download('http://127.0.0.1:9/x', tmp_path / 'a', size=1, sha256='0', timeout=1)
    for url in ('file:///etc/passwd', 'ftp://x/y', 'x'):
        with pytest.raises(DataError, match='not an http or https address'):
            download(url, tmp_path / 'a', size=1, sha256='0')
