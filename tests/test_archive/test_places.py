"""Footprints, boxes and metres, against pyproj by other routes and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from pyproj import CRS, Geod, Transformer
from shapely.geometry import Point

from osdpm_plugin.archive.places import (
    Georeference,
    bounds_of_area,
    centre_of,
    footprints,
    ground_sample_distance,
    parse_crs,
    to_lonlat,
)
from osdpm_plugin.errors import DataError


def georeference(crs: str, *transform: float) -> Georeference:
    return Georeference(CRS.from_user_input(crs).to_wkt(), transform)


DEGREES = georeference('EPSG:4326', 0.001, 0, 10, 0, -0.001, 50)


def test_degrees_by_hand():
    """In EPSG:4326 the affine map is all: longitude first, whatever the axis order of the CRS."""
    places = footprints(DEGREES, [(0, 0, 100, 200), (100, 50, 10, 20)])
    np.testing.assert_allclose(places.bounds, [(10, 49.9, 10.2, 50), (10.05, 49.89, 10.07, 49.9)])
    np.testing.assert_allclose(places.centres, [(10.1, 49.95), (10.06, 49.895)])
    assert places.polygons[0].area == pytest.approx(0.02) and places.polygons[0].exterior.is_ccw


def test_utm_against_the_inverse_projection():
    """Corners of a footprint, projected back, are the corners in metres."""
    place = georeference('EPSG:32633', 10, 0, 400_000, 0, -10, 5_500_000)
    (polygon,) = footprints(place, [(20, 30, 40, 50)]).polygons
    x, y = Transformer.from_crs(4326, 32633, always_xy=True).transform(*np.array(polygon.exterior.coords[:4]).T)
    assert {(round(a), round(b)) for a, b in zip(x, y)} == {
        (400_300, 5_499_800), (400_300, 5_499_400), (400_800, 5_499_400), (400_800, 5_499_800)
    }  # fmt: skip


def test_rotated_scene():
    place = georeference('EPSG:3857', 0, 10, 0, 10, 0, 0)  # columns go north, rows go east
    lon, lat = to_lonlat(place, np.array([100]), np.array([200]))[0]
    assert (lon, lat) == pytest.approx(Transformer.from_crs(3857, 4326, always_xy=True).transform(2000, 1000))


def test_across_the_antimeridian():
    """A window from 179.9 east to 179.9 west: two polygons, west > east, a middle at 180."""
    place = georeference('EPSG:3832', 100, 0, 0, 0, -100, 0)  # PDC Mercator: 150 east is x = 0
    x, _ = Transformer.from_crs(4326, 3832, always_xy=True).transform(179.9, 0)
    (polygon,), (bounds,), (centre,) = footprints(place, [(0, round(x / 100), 10, 223)])
    assert polygon.geom_type == 'MultiPolygon' and len(polygon.geoms) == 2
    assert bounds == pytest.approx((179.9, -0.009, -179.9, 0), abs=1e-3)
    assert abs(centre[0]) == pytest.approx(180, abs=1e-3)
    assert polygon.area == pytest.approx(0.2 * 0.009, rel=0.01)
    assert polygon.intersects(Point(179.95, -0.004)) and polygon.intersects(Point(-179.95, -0.004))
    assert not polygon.intersects(Point(0, -0.004))


def test_metres_of_pixels():
    """One thousandth of a degree at 60 degrees north, by the geodesic and by a closed form of the sphere."""
    down, right = ground_sample_distance(georeference('EPSG:4326', 0.001, 0, 10, 0, -0.001, 60), (2, 2))
    assert down == pytest.approx(111.4, abs=0.1) and right == pytest.approx(55.8, abs=0.1)
    assert right == pytest.approx(Geod(ellps='WGS84').inv(10.001, 59.999, 10.002, 59.999)[2])
    assert ground_sample_distance(georeference('EPSG:32633', 2, 0, 5e5, 0, -3, 5e6), (10, 10)) == pytest.approx(
        (3, 2), rel=1e-3
    )


@pytest.mark.parametrize(
    ('place', 'message'),
    [
        (georeference('EPSG:4326', 1, 0, 500_000, 0, -1, 4_000_000), "are none of its CRS 'WGS 84'"),
        (georeference('EPSG:32633', 1, 0, 1e12, 0, -1, 4_000_000), 'are none of its CRS'),
    ],
)
def test_coordinates_of_another_crs(place, message):
    with pytest.raises(DataError, match=message):
        footprints(place, [(0, 0, 10, 10)])


def test_pixels_without_size():
    with pytest.raises(DataError, match='gives pixels no size'):
        ground_sample_distance(georeference('EPSG:4326', 0, 0, 10, 0, 0, 50), (10, 10))


def test_centre_of():
    assert centre_of(None) is None
    assert centre_of((10, 0, 20, 10)) == (15, 5)
    assert centre_of((170, -10, -150, 0)) == (-170, -5)


def test_bounds_of_area():
    (polygon,) = footprints(georeference('EPSG:3832', 100, 0, 3_320_000, 0, -100, 0), [(0, 0, 10, 400)]).polygons
    west, south, east, north = bounds_of_area(polygon)
    assert 179 < west < 180 and -180 < east < -179
    assert bounds_of_area(footprints(DEGREES, [(0, 0, 10, 10)]).polygons[0]) == pytest.approx((10, 49.99, 10.01, 50))


def test_names_of_crs():
    assert CRS.from_wkt(parse_crs('EPSG:32650')) == CRS.from_epsg(32650)
    with pytest.raises(DataError, match="'EPSG:1' names no coordinate reference system; write e.g. EPSG:32650"):
        parse_crs('EPSG:1')
