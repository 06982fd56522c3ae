"""Dates in names, and tables of dates and attributes."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from osdpm_plugin.archive.sources import find_sources
from osdpm_plugin.archive.sources.dates import DatePattern, parse_moment
from osdpm_plugin.errors import ConfigError, DataError
from tests.helpers.rasters import noise, write_raster


def utc(*parts):
    return datetime(*parts, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    'pattern, name, date',
    [
        ('%Y%m%d', 'GF2_PMS1_E113.5_N22.9_20150212_L1A0000647768.tif', utc(2015, 2, 12)),
        ('%Y%m%d', '99999999_20210230_20210301.tif', utc(2021, 3, 1)),  # the first two are no dates
        ('%Y%m%d', 'x120210301.tif', utc(1202, 10, 30)),  # the first that is one
        ('_%Y%m%d', 'x1_20210301.tif', utc(2021, 3, 1)),
        ('%Y-%m-%dT%H%M%S', 'S2_2021-03-12T040506.tif', utc(2021, 3, 12, 4, 5, 6)),
        ('%Y-%m-%dT%H%M%S%z', 'a_2021-03-12T040506+0800.tif', utc(2021, 3, 11, 20, 5, 6)),
        ('%y%m%d', 'a210312.tif', utc(2021, 3, 12)),
        ('%Y%j', 'MOD2021071.tif', utc(2021, 3, 12)),
        ('%d%b%Y', 'a12Mar2021.tif', utc(2021, 3, 12)),
        ('%Y.%m.%d', 'a2021x03x12.tif', None),  # a point is a point
        ('%Y%m%d', 'a202103.tif', None),
        ('%Y%m%d', '', None),
        ('%Y%m%d%%', '20210312%.tif', utc(2021, 3, 12)),
    ],
)
def test_dates_in_names(pattern, name, date):
    assert DatePattern(pattern).find(name) == date


@pytest.mark.parametrize(
    'pattern, reason',
    [('%m%d', 'it has no year'), ('', 'it has no year'), ('%Y%Q', '%Q is not known'), ('%Y%', '% is')],
)
def test_patterns_that_are_none(pattern, reason):
    with pytest.raises(ConfigError, match=f'finds no dates: {reason}.*write e.g. %Y%m%d'):
        DatePattern(pattern)


@pytest.mark.parametrize(
    'text, date',
    [
        ('2021-03-12', utc(2021, 3, 12)),
        ('20210312', utc(2021, 3, 12)),
        (' 2021-03-12T04:05:06Z ', utc(2021, 3, 12, 4, 5, 6)),
        ('2021-03-12T04:05:06.5+08:00', utc(2021, 3, 11, 20, 5, 6, 500_000)),
        ('2021-03-12T04:05:06', utc(2021, 3, 12, 4, 5, 6)),
    ],
)
def test_moments(text, date):
    assert parse_moment(text) == date


@pytest.mark.parametrize(
    'text', ['2021', '2021-02-30', '12.3.2021', 'spring', '', '0001-01-01T00:00+23:00', '9' * 5000]
)
def test_what_is_no_moment(text):
    with pytest.raises(DataError, match='is no date; write e.g. 2021-03-12'):
        parse_moment(text)


# ---- tables


@pytest.fixture
def scenes(tmp_path):
    for name in ('a_20200102.tif', 'b_20200102.tif', 'c.tif', 'sub/d.tif'):
        write_raster(tmp_path / name, noise(1, 8, 8))
    return tmp_path


def table(folder, text, encoding='utf-8'):
    (folder / 'table.csv').write_text(text, encoding)
    return folder / 'table.csv'


def test_a_table(scenes):
    text = (
        'scene,datetime,sensor,云\r\n'
        'a_20200102.tif,2021-03-12T04:05:06Z,GF-2,10\r\n'
        'c,2021-03-13,"GF-1, wide",\r\n'
        'sub/d.tif,,,0\r\n'
    )
    found = find_sources([scenes], attributes=table(scenes, text, 'utf-8-sig'), date_pattern='%Y%m%d')
    assert [(source.datetime, source.attributes) for source in found.sources] == [
        (utc(2021, 3, 12, 4, 5, 6), {'sensor': 'GF-2', '云': '10'}),  # the table is trusted before the name
        (utc(2020, 1, 2), {}),
        (utc(2021, 3, 13), {'sensor': 'GF-1, wide'}),
        (None, {'云': '0'}),
    ]
    assert found.failures == []


@pytest.mark.parametrize('name', ['{}/c.tif', 'c.tif', 'c', './c.tif', 'sub/../c.tif'])
def test_what_a_scene_is_called(scenes, name):
    path = table(scenes, f'scene,x\n{name.format(scenes)},1\n')
    found = find_sources([scenes / 'c.tif'], attributes=path)
    assert found.sources[0].attributes == {'x': '1'}


def test_rows_without_scene_are_counted(scenes):
    path = table(scenes, 'scene,x\nC.tif,1\nc.tif,2\n\nsub,3\n')
    found = find_sources([scenes], attributes=path)
    assert found.failures == [(str(path), "2 of its rows name no scene that was found, first: line 2, 'C.tif'")]
    assert [source.attributes for source in found.sources] == [{}, {}, {'x': '2'}, {}]


def test_names_that_several_scenes_have(scenes):
    write_raster(scenes / 'sub' / 'c.tif', noise(1, 8, 8))
    with pytest.raises(
        DataError, match=r"table.csv, line 3: 'c' names 2 scenes, e\.g\. .*c\.tif and .*write their paths"
    ):
        find_sources([scenes], attributes=table(scenes, 'scene,x\nd,1\nc,2\n'))
    found = find_sources([scenes], attributes=table(scenes, 'scene,x\nsub/c.tif,2\n'))
    assert [source.attributes for source in found.sources] == [{}, {}, {}, {'x': '2'}, {}]


@pytest.mark.parametrize(
    'text, reason',
    [
        ('scene,datetime\nc,2021-02-30\n', r"line 2: '2021-02-30' is no date"),
        ('scene,datetime\nc,\nd,yesterday\n', r"line 3: 'yesterday' is no date"),
        ('scene,x\nc,1\nc.tif,2\n', r"line 3: 'c\.tif' names the scene of line 2 again"),
        ('scene,x\nc,1,2\n', r'line 2: it has 3 cells for 2 columns'),
        ('scene,x\n,1\n', r'line 2: no scene is named'),
        ('name,x\nc,1\n', r"has no column 'scene', but name, x"),
        ('scene;x\nc;1\n', r"has no column 'scene', but scene;x"),
        ('', r"has no column 'scene', but none"),
        ('scene,a=b\nc,1\n', r"has a column 'a=b'; give each column a name of its own, without an equals sign"),
        ('scene,x,x\nc,1,2\n', r"has a column 'x'"),
        ('scene,\nc,1\n', r"has a column ''"),
        ('scene,x\nc,"1\n', r'cannot be read \(unexpected end of data\)'),
    ],
)
def test_tables_that_are_none(scenes, text, reason):
    with pytest.raises(DataError, match=reason) as raised:
        find_sources([scenes], attributes=table(scenes, text))
    assert str(scenes / 'table.csv') in str(raised.value) and '\n' not in str(raised.value)


def test_a_table_that_is_not_there_or_no_text(scenes):
    with pytest.raises(DataError, match=r'table .* cannot be read \(.*No such file'):
        find_sources([scenes], attributes=scenes / 'table.csv')
    (scenes / 'table.csv').write_bytes(b'scene,x\n\xff\xfe,1\n')
    with pytest.raises(DataError, match='cannot be read .*write CSV in UTF-8'):
        find_sources([scenes], attributes=scenes / 'table.csv')
