"""Boxes and polygons of files -> pixels of a scene."""

from __future__ import annotations

import json

import numpy as np
import pytest
import shapely
from rasterio.transform import Affine, from_origin

from osdpm_plugin.archive.grid import TileGrid
from osdpm_plugin.archive.places import Georeference, to_lonlat
from osdpm_plugin.archive.planning import make_plan
from osdpm_plugin.archive.regions import read_regions, to_pixels
from osdpm_plugin.archive.scene import PixelRule
from osdpm_plugin.archive.sources import Source
from osdpm_plugin.errors import DataError
from tests.helpers.colour_scenes import write_patches


@pytest.fixture
def record(tmp_path):
    return record_of(write_patches(tmp_path / 'scene.tif', (50, 80), {}))


def record_of(path):
    plan = make_plan([Source(str(path), '')], {}, grid=TileGrid(tile=16), rule=PixelRule())
    (found,) = plan.records.values()
    return found


@pytest.mark.parametrize(
    'crs, transform',
    [
        ('EPSG:32650', from_origin(500_000, 4_000_000, 10, 10) @ Affine.rotation(30)),
        ('EPSG:32601', from_origin(166_021, 8000, 10, 10)),
        ('EPSG:4326', from_origin(179.9, 10, 0.01, 0.01)),
        ('EPSG:4326', from_origin(-180.1, 10, 0.01, 0.01)),
        ('EPSG:3031', from_origin(0, 0, 100, 100)),
    ],
)
def test_to_pixels_undoes_to_lonlat(crs, transform):
    place = Georeference(crs, tuple(transform)[:6])
    columns, rows = np.array([0.5, 20, 39.5, 3]), np.array([0.5, 1, 29, 17.25])
    found = to_pixels(place, to_lonlat(place, columns, rows), (30, 40))
    np.testing.assert_allclose(found, np.stack([columns, rows], axis=1), atol=1e-5)


def test_geojson(record, tmp_path):
    corners = np.array([[10.0, 5], [30, 5], [30, 25], [12, 20]])
    lonlat = to_lonlat(record.georeference, *corners.T)
    far = shapely.box(-60, -10, -59, -9)
    shape = shapely.MultiPolygon([shapely.Polygon(lonlat), far])
    feature = dict(type='Feature', properties={}, geometry=json.loads(shapely.to_geojson(shape)))
    point = dict(type='Feature', properties={}, geometry=dict(type='Point', coordinates=[0, 0]))
    path = tmp_path / 'a.geojson'
    path.write_text(json.dumps(dict(type='FeatureCollection', features=[point, feature])))
    (found,) = read_regions(str(path), record)
    np.testing.assert_allclose(found, corners, atol=1e-4)
    for content, message in (
        ('{', 'cannot be read as GeoJSON'),
        (json.dumps(point), 'holds no polygon'),
        (shapely.to_geojson(far), 'names no region of scene .*scene.tif'),
    ):
        path.write_text(content)
        with pytest.raises(DataError, match=message):
            read_regions(str(path), record)


def test_table(record, tmp_path):
    path = tmp_path / 'a.csv'
    path.write_text(
        'text,scene,row,column,height,width\nred,scene,5,10,20,30\nblue,scene.tif,0,0,5,5\nred,other,1,1,5,5\n'
    )
    (found,) = read_regions(str(path), record, 'red')
    np.testing.assert_array_equal(found, [[10, 5], [40, 5], [40, 25], [10, 25]])
    with pytest.raises(DataError, match='names no region'):
        read_regions(str(path), record, 'green')
    west, south, east, north = shapely.box(*shapely.MultiPoint(to_lonlat(record.georeference, *PIXELS)).bounds).bounds
    path.write_text(f'west,south,east,north\n{west},{south},{east},{north}\n')
    (found,) = read_regions(str(path), record)
    assert np.abs(found - [[20, 40], [60, 40], [60, 10], [20, 10]]).max() < 0.1
    path.write_text('lon,lat\n1,2\n')
    with pytest.raises(DataError, match='line 2, column lon: a point is no region'):
        read_regions(str(path), record)
    plain = record_of(write_patches(tmp_path / 'plain.tif', (50, 80), {}, crs=None))
    path.write_text('west,south,east,north\n1,2,3,4\n')
    with pytest.raises(DataError, match='names places in degrees, and .*plain.tif has no georeference'):
        read_regions(str(path), plain)


PIXELS = np.array([[20.0, 60], [10, 40]])
