"""CSV and GeoDataFrame."""

import csv

import pytest

from osdpm_plugin.archive.hits import Hits
from osdpm_plugin.archive.outputs import write_hits
from osdpm_plugin.archive.outputs.frame import frame_of
from osdpm_plugin.archive.outputs.rows import attribute_columns

from .hits import ATTRIBUTES, COLUMNS, CROSSING, NOTHING, ORDINARY, RESULTS

pytestmark = pytest.mark.filterwarnings('error')


def read_csv(path):
    with open(path, newline='', encoding='utf-8') as file:
        return list(csv.DictReader(file, strict=True))


def test_csv(tmp_path):
    write_hits(RESULTS, tmp_path / 'hits.csv')
    ordinary, crossing, placeless = read_csv(tmp_path / 'hits.csv')
    assert list(ordinary) == [*COLUMNS, *ATTRIBUTES, 'west', 'south', 'east', 'north']
    assert ordinary['query'] == 'two "planes",\nby 机场' and ordinary['attr_score'] == 'good'
    assert (float(ordinary['score']), int(ordinary['column'])) == (0.75, 64)
    assert [float(crossing[side]) for side in ('west', 'south', 'east', 'north')] == [179.5, -17.0, -179.5, -16.0]
    assert crossing['datetime'] == '2024-05-01T10:30:00.250000Z'
    assert {name for name, value in placeless.items() if value} == {
        *('query', 'rank', 'score', 'tile', 'scene', 'source', 'row', 'column', 'height', 'width', 'nodata')
    }
    content = (tmp_path / 'hits.csv').read_bytes()
    assert content.count(b'\r\n') == 4 and content.endswith(b'\r\n') and not content.startswith(b'\xef\xbb\xbf')


def test_csv_without_hits(tmp_path):
    write_hits(NOTHING, tmp_path / 'hits.csv')
    names = [*COLUMNS, 'west', 'south', 'east', 'north']
    assert (tmp_path / 'hits.csv').read_text('utf-8') == ','.join(names) + '\n'


def test_names_of_attributes():
    names = ['score', 'Score', 'attr_score', 'sensor', '', 'geometry', 'west', 'sensor']
    assert attribute_columns(names) == {
        '': 'attr_',
        'Score': 'attr_Score',
        'attr_score': 'attr_attr_score',
        'geometry': 'attr_geometry',
        'score': 'attr_attr_attr_score',
        'sensor': 'sensor',
        'west': 'attr_west',
    }


def test_geodataframe():
    frame = RESULTS[0].to_geodataframe()
    assert frame.crs.to_epsg() == 4326 and frame.active_geometry_name == 'geometry'
    assert list(frame.columns) == [*COLUMNS, *ATTRIBUTES, 'geometry']
    assert frame['rank'].tolist() == [1, 2] and frame['attr_score'].tolist()[0] == 'good'
    assert frame.geometry[0].equals(ORDINARY.footprint) and frame.geometry[1].equals(CROSSING.footprint)
    assert str(frame['datetime'][0]) == '2024-05-01 10:30:00+00:00'
    everything = frame_of(RESULTS)
    assert len(everything) == 3 and everything.geometry[2] is None


def test_geodataframe_without_hits_keeps_its_kinds():
    empty, full = Hits().to_geodataframe(), RESULTS[0].to_geodataframe()
    assert len(empty) == 0 and empty.crs.to_epsg() == 4326
    assert {name: str(kind) for name, kind in empty.dtypes.items()} == {
        name: str(full.dtypes[name]) for name in [*COLUMNS, 'geometry']
    }
    assert len(RESULTS[1].to_geodataframe()) == 1  # whose only hit has no place
