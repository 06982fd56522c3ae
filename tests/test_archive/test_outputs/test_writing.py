"""Which file is written, and that it is whole or not there."""

import os

import pytest

from osdpm_plugin.archive.outputs import ENDINGS, check_output, write_hits
from osdpm_plugin.errors import ConfigError

from .hits import RESULTS


@pytest.mark.parametrize('ending', ENDINGS)
def test_endings(tmp_path, ending):
    assert check_output(tmp_path / 'new folder' / f'hits{ending.upper()}') == ending
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('name', ['hits', 'hits.shp', 'hits.geojson.zip', '.csv'])
def test_other_endings_are_refused(tmp_path, name):
    with pytest.raises(ConfigError, match=r'must end in \.geojson, \.gpkg, \.parquet, \.csv, \.json or \.png'):
        check_output(tmp_path / name)
    with pytest.raises(ConfigError, match='must end in'):
        write_hits(RESULTS, tmp_path / name)


def test_places_that_cannot_be_written_to(tmp_path, monkeypatch):
    (tmp_path / 'hits.csv').mkdir()
    with pytest.raises(ConfigError, match='is a folder; name a file'):
        check_output(tmp_path / 'hits.csv')
    (tmp_path / 'file').touch()
    with pytest.raises(ConfigError, match='file is no folder'):
        check_output(tmp_path / 'file' / 'hits.csv')
    monkeypatch.setattr(os, 'access', lambda path, mode: False)
    with pytest.raises(ConfigError, match='no folder that you may write to'):
        check_output(tmp_path / 'other' / 'hits.csv')


def test_a_package_that_is_open_is_left_alone(tmp_path):
    (tmp_path / 'hits.gpkg-wal').touch()
    with pytest.raises(ConfigError, match='open in another program'):
        check_output(tmp_path / 'hits.gpkg')
    assert check_output(tmp_path / 'hits.csv') == '.csv'


@pytest.mark.parametrize('ending', [ending for ending in ENDINGS if ending != '.png'])
def test_a_full_disk_leaves_the_file_that_was_there(tmp_path, monkeypatch, ending):
    path = tmp_path / f'hits{ending}'
    path.write_bytes(b'before')

    def full(*_):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(os, 'fsync', full)
    with pytest.raises(ConfigError, match='No space left'):
        write_hits(RESULTS, path)
    assert path.read_bytes() == b'before' and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize('ending', ['.geojson', '.csv', '.parquet'])
def test_equal_hits_give_equal_bytes(tmp_path, ending):
    for name in 'ab':
        write_hits(RESULTS, tmp_path / f'{name}{ending}')
    assert (tmp_path / f'a{ending}').read_bytes() == (tmp_path / f'b{ending}').read_bytes()
