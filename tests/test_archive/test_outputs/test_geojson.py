"""GeoJSON, by the rules of RFC 7946."""

import json

import pytest

from osdpm_plugin.archive.hits import Hits
from osdpm_plugin.archive.outputs import write_hits

from .hits import ATTRIBUTES, COLUMNS, NOTHING, ORDINARY, RESULTS

pytestmark = pytest.mark.filterwarnings('error')


def read(path):
    return json.loads(path.read_text('utf-8'), parse_constant=lambda name: pytest.fail(f'{name} is no JSON'))


def rings_of(geometry):
    polygons = geometry['coordinates'] if geometry['type'] == 'MultiPolygon' else [geometry['coordinates']]
    return [ring for polygon in polygons for ring in polygon]


def area(ring):
    """By the shoelace formula: above 0 if counterclockwise."""
    return sum(x * v - u * y for (x, y), (u, v) in zip(ring, ring[1:])) / 2


def test_features_keep_the_rules(tmp_path):
    write_hits(RESULTS, tmp_path / 'hits.geojson')
    content = read(tmp_path / 'hits.geojson')
    assert sorted(content) == ['features', 'type'] and content['type'] == 'FeatureCollection'
    ordinary, crossing, placeless = content['features']
    for feature in (ordinary, crossing):
        assert sorted(feature) == ['bbox', 'geometry', 'properties', 'type'] and feature['type'] == 'Feature'
        for ring in rings_of(feature['geometry']):
            assert ring[0] == ring[-1] and len(ring) >= 4
            assert area(ring) > 0
    assert ordinary['bbox'] == [113.0, 22.0, 113.25, 22.5]
    assert sorted(map(tuple, rings_of(ordinary['geometry'])[0][:4])) == [
        *((113.0, 22.0), (113.0, 22.5), (113.25, 22.0), (113.25, 22.5)),
    ]
    assert crossing['bbox'] == [179.5, -17.0, -179.5, -16.0]
    east, west = sorted(rings_of(crossing['geometry']), key=min, reverse=True)
    assert crossing['geometry']['type'] == 'MultiPolygon'
    assert {x for x, _ in east} == {179.5, 180.0} and {x for x, _ in west} == {-180.0, -179.5}
    assert area(east) + area(west) == pytest.approx(1.0)
    assert placeless['geometry'] is None and 'bbox' not in placeless


def test_properties(tmp_path):
    write_hits(RESULTS, tmp_path / 'hits.geojson')
    ordinary, crossing, placeless = (feature['properties'] for feature in read(tmp_path / 'hits.geojson')['features'])
    assert list(ordinary) == [*COLUMNS, *ATTRIBUTES]
    assert ordinary['query'] == 'two "planes",\nby 机场' and placeless['query'] == 'a ship'
    assert (ordinary['rank'], ordinary['score'], ordinary['attr_score']) == (1, 0.75, 'good')
    assert (ordinary['row'], ordinary['column'], ordinary['height'], ordinary['width']) == (0, 64, 32, 32)
    assert (ordinary['lon'], ordinary['lat'], ordinary['gsd'], ordinary['nodata']) == (113.125, 22.25, 0.5, 0.25)
    assert (ordinary['tile'], ordinary['scene']) == ('港口-0123abcd/0_64_32x32', '港口-0123abcd')
    assert (ordinary['attr_Lon'], ordinary['sensor'], ordinary['省']) == ('east', 'GF-2', '广东')
    assert (crossing['bounds'], crossing['attr_fid'], crossing['sensor']) == ('1', '7', None)
    assert ordinary['datetime'] == '2024-05-01T10:30:00Z'
    assert crossing['datetime'] == '2024-05-01T10:30:00.250000Z'
    assert [placeless[name] for name in ('lon', 'lat', 'datetime', 'gsd')] == [None] * 4


def test_no_hits(tmp_path):
    write_hits(NOTHING, tmp_path / 'hits.geojson')
    assert read(tmp_path / 'hits.geojson') == dict(type='FeatureCollection', features=[])


def test_coordinates_have_no_more_digits_than_they_are_good_for(tmp_path):
    bounds = (113.00000004, 22.0, 113.25000006, 22.5)
    write_hits(Hits([ORDINARY._replace(bounds=bounds)]), tmp_path / 'hits.geojson')
    assert read(tmp_path / 'hits.geojson')['features'][0]['bbox'] == [113.0, 22.0, 113.2500001, 22.5]
