"""Tables of places, and the numbers of a search that finds some of them."""

from __future__ import annotations

from datetime import datetime, timezone

import numpy as np
import pytest
import shapely

from osdpm_plugin.archive.evaluation import PlaceQuery, PlaceResults, evaluate, first_rank, group_rows, is_right
from osdpm_plugin.archive.hits import Hit
from osdpm_plugin.archive.place_table import Place, Row, read_table
from osdpm_plugin.archive.places import Georeference, footprints
from osdpm_plugin.errors import ConfigError, DataError
from tests.helpers.colour_scenes import make_archive, write_patches


def hit(rank, footprint=None, window=(0, 0, 10, 10), scene='a'):
    return Hit(rank, 0.5, f'{scene}/{rank}', scene, '', window, None, None, None, footprint, None, None, 0.0, {})


def box(*bounds):
    return hit(1, shapely.box(*bounds))


def test_points():
    found = box(10, 50, 11, 51)
    assert is_right(found, Place(point=(10.5, 50.5))) and is_right(found, Place(point=(10, 51))), 'edges too'
    assert not is_right(found, Place(point=(11.0001, 50.5)))
    assert is_right(found, Place(point=(10.5, 50.5), scene='a'))
    assert not is_right(found, Place(point=(10.5, 50.5), scene='b'))
    assert not is_right(hit(1), Place(point=(0, 0))), 'a hit without georeference'


def test_boxes_share_half_of_the_smaller():
    found = box(0, 0, 4, 4)
    assert is_right(found, Place(bounds=(3, 1, 5, 3))) and not is_right(found, Place(bounds=(3.01, 1, 5.01, 3)))
    assert is_right(found, Place(bounds=(-50, -50, 2, 50))) and not is_right(found, Place(bounds=(-50, -50, 1.99, 50)))


def test_across_the_antimeridian():
    utm = Georeference('EPSG:32601', (10, 0, 166_021.4, 0, -10, 8000))  # its left edge lies on 180 degrees
    shape = footprints(utm, np.array([[0, -100, 200, 200]])).polygons[0]
    found = hit(1, shape)
    assert shape.geom_type == 'MultiPolygon'
    for lon in (179.995, -179.995, 180.0, -180.0):
        assert is_right(found, Place(point=(lon, 0.06))), lon
    assert not is_right(found, Place(point=(179.97, 0.06))) and not is_right(found, Place(point=(0.0, 0.06)))
    assert is_right(found, Place(bounds=(179.991, 0.05, -179.991, 0.07)))
    assert is_right(found, Place(bounds=(179.0, 0.05, 180, 0.07))) is False, 'no more than a hundredth of it'
    assert is_right(found, Place(bounds=(-179.999, 0.05, -179.992, 0.07)))
    assert not is_right(found, Place(bounds=(-179.991, 0.05, 179.991, 0.07))), 'the other way round the Earth'


def test_windows():
    found = hit(1, window=(10, 20, 20, 20))
    assert is_right(found, Place(window=(10, 30, 20, 20), scene='a'))
    assert not is_right(found, Place(window=(10, 31, 20, 20), scene='a'))
    assert not is_right(found, Place(window=(10, 20, 20, 20), scene='b'))
    assert is_right(found, Place(window=(12, 22, 3, 3), scene='a'))


def test_numbers_by_hand():
    place = Place(point=(0.5, 0.5))
    queries = [PlaceQuery(str(i), (place,) * len(r)) for i, r in enumerate([[1, None], [3], [None, 7, 2], [None]])]
    results = PlaceResults(queries, [[1, None], [3], [None, 7, 2], [None]], (1, 5, 10))
    assert results.first_ranks == [1, 3, 2, None]
    assert results.hit(1).value == 1 / 4 and results.hit(5).value == 3 / 4 == results.hit(10).value
    z = 1.959963984540054
    middle, half = (0.25 + z * z / 8) / (1 + z * z / 4), z * (0.25 * 0.75 / 4 + z * z / 64) ** 0.5 / (1 + z * z / 4)
    assert results.hit(1)[1:] == pytest.approx((middle - half, middle + half))
    assert [results.recall(k) for k in (1, 5, 10)] == [1 / 7, 3 / 7, 4 / 7]
    assert results.median_rank == 2.5
    content = results.to_json()
    assert (content['queries'], content['places'], content['median_rank']) == (4, 7, 2.5)
    assert content['hit']['5']['value'] == 0.75 and content['each'][2] == dict(text='2', ranks=[None, 7, 2])
    assert '    5      75.0  ' in results.table() and 'median rank of the first right hit: 2.5' in results.table()
    lost = PlaceResults(queries[:1], [[None, None]], (1, 3))
    assert lost.median_rank is None and lost.table().endswith('beyond 3') and lost.hit(3).low == 0


def test_first_rank():
    hits = [hit(1, shapely.box(0, 0, 1, 1)), hit(2, shapely.box(5, 5, 6, 6)), hit(3, shapely.box(5, 5, 7, 7))]
    assert first_rank(hits, Place(point=(5.5, 5.5))) == 2 and first_rank(hits, Place(point=(6.5, 6.5))) == 3
    assert first_rank(hits, Place(point=(9, 9))) is None


def write(path, *lines):
    path.write_text('\n'.join(lines) + '\n', encoding='utf-8-sig')
    return str(path)


def test_table(tmp_path):
    path = write(
        tmp_path / 'q.csv',
        'text,lon,lat,west,south,east,north,scene,row,column,height,width,from,to,scenes',
        'a pier,10.5,50,,,,,,,,,,,,',
        '"a pier, long",,,179,-1,-179,1,,,,,,2024-03-01,2024-03-02,a; b',
        '港口,,,,,,,bay.tif,0,5,20,30,2024-03-01T10:00Z,,',
    )
    one, two, three = read_table(path)
    assert one == Row(2, Place(point=(10.5, 50)), 'a pier')
    assert two.text == 'a pier, long' and two.place.bounds == (179, -1, -179, 1) and two.scenes == ('a', 'b')
    assert (two.start, two.end) == (datetime(2024, 3, 1), datetime(2024, 3, 2, 23, 59, 59, 999_999))
    assert three.place == Place(window=(0, 5, 20, 30), scene='bay.tif')
    assert three.start == datetime(2024, 3, 1, 10, tzinfo=timezone.utc)
    assert read_table(write(tmp_path / 'b.csv', 'west,south,east,north', '1,2,3,4'), is_asked=False)[0].text is None


@pytest.mark.parametrize(
    'lines, message',
    [
        (['text,lon,lat,where', 'a,1,2,3'], "line 1: column 'where' is none of text, lon, lat"),
        (['text,lon,lat,lon', 'a,1,2,3'], 'line 1: column lon is there twice'),
        (['lon,lat', '1,2'], 'line 1: column text is missing'),
        (['text,lon,lat'], 'no lines below its head'),
        (['text,lon,lat', 'a,1,2', 'b, c,1,2'], r'line 3: it has another number of columns than line 1 \(3\)'),
        (['text,lon,lat', 'a,1'], 'line 2: it has another number of columns'),
        (['text,lon,lat', ' ,1,2'], 'line 2, column text: it is empty'),
        (['text,lon,lat', 'a,1,north'], "line 2, column lat: 'north' is no number"),
        (['text,lon,lat', 'a,1,'], "line 2, column lat: '' is no number"),
        (['text,lon,lat', 'a,nan,1'], "line 2, column lon: 'nan' is no number"),
        (['text,lon,lat', 'a,50,100'], 'line 2, column lon: the box 50 100 50 100 is not in degrees'),
        (['text,lon,lat', 'a,,'], 'line 2, column lon: a line names one place, and this one none'),
        (
            ['text,lon,lat,west', 'a,1,2,3'],
            'column west: a line names one place, and this one lon, lat and west, south',
        ),
        (['text,west,south,east,north', 'a,1,4,3,2'], 'column west: the box 1 4 3 2 is upside down'),
        (['text,west,south,east,north', 'a,1,2,1,4'], 'column east: the box has no area; give lon and lat'),
        (['text,row,column,height,width', 'a,1,2,3,4'], 'column scene: it is empty; pixels need the scene'),
        (
            ['text,scene,row,column,height,width', 'a,s,1,2.5,3,4'],
            'column column: 2.5 is no whole number of at least 0',
        ),
        (['text,scene,row,column,height,width', 'a,s,1,2,0,4'], 'column height: 0 is no whole number of at least 1'),
        (['text,lon,lat,from', 'a,1,2,spring'], "line 2, column from: 'spring' is no date; write e.g. 2024-03-01"),
        (['text,lon,lat,from,to', 'a,1,2,2024-02-01,2024-01-01'], 'line 2, column to: the interval from 2024-02-01'),
        (['text,lon,lat', '"a,1,2'], 'cannot be read as CSV'),
    ],
)
def test_wrong_tables(tmp_path, lines, message):
    with pytest.raises(DataError, match=message) as caught:
        read_table(write(tmp_path / 'q.csv', *lines))
    assert str(tmp_path / 'q.csv') in str(caught.value) and '\n' not in str(caught.value)


def test_tables_that_cannot_be_read(tmp_path):
    (tmp_path / 'q.csv').write_bytes(b'text,lon,lat\n\xff\xfe,1,2\n')
    for path in (tmp_path / 'q.csv', tmp_path / 'none.csv', tmp_path):
        with pytest.raises(DataError, match='cannot be read as CSV in UTF-8'):
            read_table(str(path))


@pytest.fixture(scope='module')
def archive(tmp_path_factory):
    """Two scenes of 640 m: a red patch in the left one, a red and a blue one in the right one."""
    folder = tmp_path_factory.mktemp('archive')
    left = write_patches(folder / 'left.tif', (64, 64), {(0, 0, 16, 16): 'red'})
    patches = {(32, 32, 16, 16): 'red', (0, 48, 16, 16): 'blue'}
    right = write_patches(folder / 'right.tif', (64, 64), patches, crs=None)
    return make_archive(folder / 'made', [left, right])


def test_search(archive, tmp_path):
    lon, lat = footprints(archive.records()[next(iter(archive.records()))].georeference, [[0, 0, 16, 16]]).centres[0]
    rows = read_table(
        write(
            tmp_path / 'q.csv',
            'text,lon,lat,scene,row,column,height,width,from,scenes',
            f'red,{lon},{lat},,,,,,,',
            'blue,,,right,0,48,16,16,,',
            'red,,,right.tif,32,32,16,16,,',
            'red,,,right.tif,32,32,16,16,,left',
            'blue,,,right,0,48,16,16,2020-01-01,',
        )
    )
    queries = group_rows(rows, archive.records(), 'q.csv')
    assert [(query.text, len(query.places)) for query in queries] == [('red', 2), ('blue', 1), ('red', 1), ('blue', 1)]
    results = evaluate(archive, queries, (2, 1))
    assert results.topk == (1, 2)
    assert sorted(results.ranks[0]) == [1, 2] and results.ranks[1:] == [[1], [None], [None]], 'no scene has a date'
    assert results.hit(1).value == results.hit(2).value == 0.5
    assert (results.recall(1), results.recall(2)) == (2 / 5, 3 / 5)
    with pytest.raises(ConfigError, match='topk'):
        evaluate(archive, queries, (0,))
    with pytest.raises(DataError, match='there are no queries'):
        evaluate(archive, [])
    with pytest.raises(DataError, match="q.csv, line 9, column scenes: the archive has no scene 'x'"):
        group_rows([Row(9, Place(point=(0, 0)), 'a', scenes=('x',))], archive.records(), 'q.csv')
    with pytest.raises(DataError, match="q.csv, line 9, column scene: the archive has no scene 'y'"):
        group_rows([Row(9, Place(point=(0, 0), scene='y'), 'a')], archive.records(), 'q.csv')
