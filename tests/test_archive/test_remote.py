"""Web addresses, against a server of this machine whose requests fail."""

from __future__ import annotations

import numpy as np
import pytest

from osdpm_plugin.archive import raster_file, remote
from osdpm_plugin.archive.raster_file import open_raster
from osdpm_plugin.archive.remote import fetch, look, web_address
from osdpm_plugin.errors import DataError
from tests.helpers.http_server import serve
from tests.helpers.rasters import UTM50, noise, write_raster

BANDS = noise(3, 300, 400)


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(remote, 'PAUSES', (0.01, 0.02, 0.03, 0.04))
    monkeypatch.setattr(raster_file, 'PAUSES', (0.01, 0.02, 0.03, 0.04))
    monkeypatch.setitem(raster_file._SETTINGS, 'GDAL_HTTP_RETRY_DELAY', '0.01')


@pytest.fixture
def served(tmp_path):
    write_raster(tmp_path / 'a.tif', BANDS, tiled=True, blockxsize=64, blockysize=64, **UTM50)
    with serve(tmp_path) as server:
        yield server


def read_all(address):
    with open_raster(address) as raster:
        return raster.read((0, 0, *raster.shape))[0]


FAULTS = {
    'none': lambda number, method, path: None,
    'every second busy': lambda number, method, path: 'busy' if number % 2 == 0 else None,
    'every second reset': lambda number, method, path: 'reset' if number % 2 == 0 else None,
    'every third cut off': lambda number, method, path: 'short' if number % 3 == 2 else None,
    'slow': lambda number, method, path: 'slow' if number < 2 else None,
    'no HEAD': lambda number, method, path: 'refused' if method == 'HEAD' else None,
    'all kinds': lambda number, method, path: [None, 'busy', None, 'short', 'reset', None, None][number % 7],
}


@pytest.mark.parametrize('faults', FAULTS)
def test_pixels_are_right_in_spite_of_faults(served, faults):
    served.fault = FAULTS[faults]
    for address in (served.url('a.tif'), f'/vsicurl/{served.url("a.tif")}'):
        assert np.array_equal(read_all(address), np.moveaxis(BANDS, 0, 2))


@pytest.mark.parametrize('fault', ['busy', 'reset', 'short'])
def test_faults_that_stay_are_one_sentence(served, fault):
    served.fault = lambda number, method, path: fault if method == 'GET' else None
    with pytest.raises(DataError, match='GDAL cannot read it|empty, damaged') as raised:
        read_all(served.url('a.tif'))
    assert '\n' not in str(raised.value)


def test_what_is_not_there(served):
    with pytest.raises(DataError, match='404'):
        read_all(served.url('b.tif'))
    with pytest.raises(DataError, match=r'^its server answers 404 \(Not Found\)$'):
        look(served.url('b.tif'))


def test_a_scene_that_changes_between_two_looks(served):
    before = look(served.url('a.tif'))
    read_all(served.url('a.tif'))
    write_raster(served.folder / 'a.tif', BANDS // 2, tiled=True, blockxsize=64, blockysize=64, **UTM50)
    assert look(served.url('a.tif')).signature != before.signature
    assert np.array_equal(read_all(served.url('a.tif')), np.moveaxis(BANDS // 2, 0, 2))


def test_nothing_beside_a_scene_is_asked_for(served):
    read_all(served.url('a.tif'))
    assert {path for _, path in served.requests} == {'/a.tif'}


# ---- headers and small files


@pytest.mark.parametrize('faults', ['none', 'every second busy', 'every second reset', 'slow', 'no HEAD', 'all kinds'])
def test_look(served, faults):
    served.fault = FAULTS[faults]
    size = (served.folder / 'a.tif').stat().st_size
    answer = look(served.url('a.tif'))
    assert answer.size == size and answer.signature.startswith(f'{size}-"') and not answer.is_json
    assert look(served.url('a.tif')) == answer


def test_look_without_a_tag(served):
    served.etags = False
    size = (served.folder / 'a.tif').stat().st_size
    assert look(served.url('a.tif')) == (f'{size}-', size, False)


@pytest.mark.parametrize('faults', FAULTS)
def test_fetch(served, faults):
    (served.folder / 'a.json').write_bytes(b'{"a": 1}')
    served.fault = FAULTS[faults]
    assert fetch(served.url('a.json'), 8) == b'{"a": 1}'
    with pytest.raises(DataError, match='it has more than 7 bytes'):
        fetch(served.url('a.json'), 7)


def test_fetch_gives_up(served):
    (served.folder / 'a.json').write_bytes(b'{"a": 1}')
    served.fault = lambda number, method, path: 'short'
    with pytest.raises(DataError, match=r'its server cannot be reached \(it was cut off\)'):
        fetch(served.url('a.json'), 8)
    assert len(served.requests) == 5
    served.fault = lambda number, method, path: 'busy'
    with pytest.raises(DataError, match='its server answers 503'):
        fetch(served.url('a.json'), 8)


def test_no_server():
    with pytest.raises(DataError, match=r'its server cannot be reached \(.*refused'):
        look('http://127.0.0.1:9/a.tif')


@pytest.mark.parametrize('place', ['file:///etc/passwd', 'ftp://127.0.0.1/a'])
def test_redirections_lead_to_the_web_alone(served, place):
    served.redirect = place
    with pytest.raises(DataError, match='its server answers|cannot be reached'):
        fetch(served.url('a.tif'), 10**9)


@pytest.mark.parametrize(
    'text, address',
    [
        ('http://a.org/b.tif', 'http://a.org/b.tif'),
        ('HTTPS://a.org/b.tif?x=1&y=%20#z', 'HTTPS://a.org/b.tif?x=1&y=%20#z'),
        ('/vsicurl/http://a.org/影 像.tif', 'http://a.org/%E5%BD%B1%20%E5%83%8F.tif'),
        *((other, None) for other in ('http://', '/vsicurl/file:///a', 'ftp://a/b', '/a/http://b', 'a.tif', '')),
    ],
)
def test_web_address(text, address):
    assert web_address(text) == address
