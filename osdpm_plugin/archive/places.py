"""Pixels of a scene -> places on the Earth: corners, footprints, bounding boxes and ground sample distances."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple, Optional, Sequence

import antimeridian
import numpy as np
import shapely
from pyproj import CRS, Geod, Transformer
from pyproj.exceptions import CRSError, ProjError
from shapely.geometry.base import BaseGeometry

from ..errors import DataError

WGS84 = 'EPSG:4326'
_ELLIPSOID = Geod(ellps='WGS84')


class Georeference(NamedTuple):
    """Where the pixels of a scene lie.

    Attributes:
        crs: well-known text of the coordinate reference system.
        transform: a, b, c, d, e, f of x = a column + b row + c, y = d column + e row + f.
    """

    crs: str
    transform: tuple[float, ...]


class Footprints(NamedTuple):
    """Places of N windows.

    Attributes:
        polygons: (N,) shapely geometries in EPSG:4326, counterclockwise; a MultiPolygon where the antimeridian cuts a
            window.
        bounds: (N, 4) float64 west, south, east, north in degrees; west > east across the antimeridian.
        centres: (N, 2) float64 longitude, latitude of the middle pixel.
    """

    polygons: np.ndarray
    bounds: np.ndarray
    centres: np.ndarray


def footprints(georeference: Georeference, windows: np.ndarray) -> Footprints:
    """The places of windows of a scene.

    Args:
        georeference: of the scene.
        windows: (N, 4) row, column, height, width in pixels.

    Raises:
        DataError: the coordinates are none that the coordinate reference system has.
    """
    row, column, height, width = np.asarray(windows, np.float64).reshape(-1, 4).T
    right, bottom = column + width, row + height
    columns = np.stack([column, column, right, right, column + width / 2], axis=1)  # (N, 5)
    rows = np.stack([row, bottom, bottom, row, row + height / 2], axis=1)
    lonlat = to_lonlat(georeference, columns, rows)  # (N, 5, 2)
    corners, centres = lonlat[:, :4], lonlat[:, 4]
    polygons = shapely.orient_polygons(shapely.polygons(corners))
    bounds = shapely.bounds(polygons).reshape(-1, 4)
    for i in np.flatnonzero(np.ptp(corners[..., 0], axis=1) > 180):
        polygons[i] = antimeridian.fix_polygon(polygons[i], fix_winding=True, great_circle=False)
        bounds[i] = antimeridian.bbox(polygons[i])
    return Footprints(polygons, bounds, centres)


def to_lonlat(georeference: Georeference, columns: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Pixels, as two arrays of one shape (...) -> (..., 2) longitude and latitude in degrees.

    Raises:
        DataError: the coordinates are none that the coordinate reference system has, or that is none of the Earth.
    """
    a, b, c, d, e, f = georeference.transform
    x, y = a * columns + b * rows + c, d * columns + e * rows + f
    try:
        lonlat = np.stack(_to_wgs84(georeference.crs).transform(x, y), axis=-1)
    except ProjError as error:
        words = ' '.join(str(error).split())
        raise DataError(
            f'its CRS is none of the Earth ({words}); write the right one: gdal_edit.py -a_srs EPSG:... FILE'
        ) from error
    if not np.isfinite(lonlat).all() or np.abs(lonlat[..., 1]).max(initial=0) > 90:
        name = CRS.from_user_input(georeference.crs).name
        raise DataError(f'its coordinates, e.g. ({x.flat[0]:.6g}, {y.flat[0]:.6g}), are none of its CRS {name!r}')
    lonlat[..., 0] = (lonlat[..., 0] + 180) % 360 - 180
    return lonlat


def ground_sample_distance(georeference: Georeference, shape: Sequence[int]) -> tuple[float, float]:
    """Metres from the middle pixel of a scene to the next one below and to the right, on the ellipsoid.

    Raises:
        DataError: as in `to_lonlat`, or pixels have no size.
    """
    row, column = shape[0] / 2, shape[1] / 2
    (lon, lat), *neighbours = to_lonlat(
        georeference, np.array([column, column, column + 1]), np.array([row, row + 1, row])
    )
    down, right = (_ELLIPSOID.inv(lon, lat, *neighbour)[2] for neighbour in neighbours)
    if min(down, right) <= 0:
        raise DataError('its geotransform gives pixels no size on the ground')
    return down, right


def parse_crs(text: str) -> str:
    """Anything that names a CRS -> its well-known text.

    Raises:
        DataError: it names none.
    """
    try:
        return CRS.from_user_input(text).to_wkt()
    except CRSError as error:
        raise DataError(f'{text!r} names no coordinate reference system; write e.g. EPSG:32650') from error


def centre_of(bounds: Optional[Sequence[float]]) -> Optional[tuple[float, float]]:
    """West, south, east, north -> longitude, latitude of the middle, across the antimeridian where west > east."""
    if bounds is None:
        return None
    west, south, east, north = bounds
    lon = west + ((east - west) % 360 if west > east else east - west) / 2
    return (lon + 180) % 360 - 180, (south + north) / 2


def bounds_of_area(area: BaseGeometry) -> tuple[float, float, float, float]:
    """An area in EPSG:4326 -> west, south, east, north; west > east where it touches the antimeridian on both sides."""
    west, south, east, north = area.bounds
    if west <= -180 and east >= 180 and isinstance(area, shapely.MultiPolygon):
        west, south, east, north = antimeridian.bbox(area)
    return west, south, east, north


@lru_cache(maxsize=64)
def _to_wgs84(crs: str) -> Transformer:
    return Transformer.from_crs(crs, WGS84, always_xy=True)
