"""GeoParquet 1.1, by pyarrow and geopandas."""

import json

import geopandas
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely

from osdpm_plugin.archive.hits import Hits
from osdpm_plugin.archive.outputs import write_hits

from .hits import ATTRIBUTES, BOX, COLUMNS, CROSSING, NOTHING, ORDINARY, PLACELESS, RESULTS

pytestmark = pytest.mark.filterwarnings('error')


def written(results, tmp_path):
    write_hits(results, tmp_path / 'hits.parquet')
    table = pq.read_table(tmp_path / 'hits.parquet')
    geo = json.loads(table.schema.metadata[b'geo'])
    assert (geo['version'], geo['primary_column'], list(geo['columns'])) == ('1.1.0', 'geometry', ['geometry'])
    return table, geo['columns']['geometry']


def test_rows_and_boxes(tmp_path):
    table, column = written(RESULTS, tmp_path)
    assert table.column_names == [*COLUMNS, *ATTRIBUTES, 'bbox', 'geometry']
    assert [row and list(row.values()) for row in table['bbox'].to_pylist()] == [
        list(BOX),
        [179.5, -17.0, -179.5, -16.0],
        None,
    ]
    assert [field.name for field in table.schema.field('bbox').type] == ['xmin', 'ymin', 'xmax', 'ymax']
    assert column['geometry_types'] == ['MultiPolygon', 'Polygon'] and column['encoding'] == 'WKB'
    assert column['orientation'] == 'counterclockwise' and 'crs' not in column
    shapes = [shapely.from_wkb(wkb) for wkb in table['geometry'].to_pylist()]
    assert shapes[2] is None
    rings = [shapes[0].exterior, *(polygon.exterior for polygon in shapes[1].geoms)]
    assert all(ring.is_ccw for ring in rings)
    frame = geopandas.read_parquet(tmp_path / 'hits.parquet')
    assert frame.crs.equals('OGC:CRS84') and frame['score'].tolist() == [0.75, 0.5, 0.25]
    assert frame.geometry[1].equals(CROSSING.footprint)


def test_no_reader_loses_a_hit_by_its_box(tmp_path):
    _, column = written(RESULTS, tmp_path)
    assert 'covering' not in column  # a box with xmin > xmax touches nothing, if one compares numbers
    _, column = written([Hits([ORDINARY, PLACELESS])], tmp_path)
    assert column['covering'] == dict(bbox={side: ['bbox', side] for side in ('xmin', 'ymin', 'xmax', 'ymax')})
    assert geopandas.read_parquet(tmp_path / 'hits.parquet', bbox=(113, 22, 114, 23))['rank'].tolist() == [1]
    assert geopandas.read_parquet(tmp_path / 'hits.parquet', bbox=(114, 22, 115, 23)).empty


def test_no_hits(tmp_path):
    table, column = written(NOTHING, tmp_path)
    assert table.num_rows == 0 and table.column_names == [*COLUMNS, 'bbox', 'geometry']
    assert table.schema.field('datetime').type == pa.timestamp('us', tz='UTC')
    assert column['geometry_types'] == []
    frame = geopandas.read_parquet(tmp_path / 'hits.parquet')
    assert frame.empty and frame.crs.equals('OGC:CRS84')
