"""STAC items, by pystac and the rules of version 1.1."""

import json
from datetime import datetime, timedelta, timezone

import pystac
import pytest

from osdpm_plugin.archive.hits import Hits
from osdpm_plugin.archive.outputs import write_hits

from .hits import NOTHING, ORDINARY, RESULTS

pytestmark = pytest.mark.filterwarnings('error')


def read(path):
    content = json.loads(path.read_text('utf-8'))
    assert pystac.ItemCollection.is_item_collection(content)
    for item in content['features']:
        assert {'type', 'stac_version', 'id', 'geometry', 'properties', 'links', 'assets'} <= set(item)
        assert item['stac_version'] == '1.1.0'
        assert ('bbox' in item) == (item['geometry'] is not None)
        times = {name for name in item['properties'] if name.endswith('datetime')}
        if item['properties']['datetime'] is None:
            assert times == {'datetime', 'start_datetime', 'end_datetime'}
        assert all(item['properties'][name].endswith('Z') for name in times if item['properties'][name])
    return list(pystac.ItemCollection.from_dict(content))


def test_items(tmp_path):
    write_hits(RESULTS, tmp_path / 'hits.json')
    ordinary, crossing, placeless = read(tmp_path / 'hits.json')
    assert ordinary.id == '1-1-港口-0123abcd-0_64_32x32'
    assert ordinary.datetime == datetime(2024, 5, 1, 10, 30, tzinfo=timezone.utc)
    assert ordinary.bbox == [113.0, 22.0, 113.25, 22.5] and crossing.bbox == [179.5, -17.0, -179.5, -16.0]
    asset = ordinary.assets['scene']
    assert (asset.href, asset.roles) == ('/data/my scenes/港口.tif', ['data'])
    assert asset.extra_fields == {'osdpm:window': [0, 64, 32, 32]}
    assert ordinary.properties['gsd'] == 0.5 and 'nodata' not in ordinary.properties
    assert ordinary.properties['osdpm:score'] == 0.75 and ordinary.properties['osdpm:nodata'] == 0.25
    assert ordinary.properties['osdpm:attributes'] == ORDINARY.attributes
    assert placeless.geometry is None and placeless.bbox is None and 'gsd' not in placeless.properties


def test_an_unknown_date_is_any_until_now(tmp_path):
    write_hits(RESULTS, tmp_path / 'hits.json')
    placeless = read(tmp_path / 'hits.json')[2]
    start, end = (pystac.utils.str_to_datetime(placeless.properties[f'{name}_datetime']) for name in ('start', 'end'))
    assert placeless.datetime is None and start.year == 1858
    assert timedelta(0) <= datetime.now(timezone.utc) - end < timedelta(minutes=5)


def test_ids_differ(tmp_path):
    write_hits([Hits([ORDINARY], query='a'), Hits([ORDINARY], query='b')], tmp_path / 'hits.json')
    first, second = read(tmp_path / 'hits.json')
    assert first.id != second.id and [first.properties['osdpm:query'], second.properties['osdpm:query']] == ['a', 'b']


def test_no_hits(tmp_path):
    write_hits(NOTHING, tmp_path / 'hits.json')
    assert read(tmp_path / 'hits.json') == []
