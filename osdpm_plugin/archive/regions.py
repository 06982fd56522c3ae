"""Boxes or polygons in a file -> regions in pixels of a scene."""

from __future__ import annotations

from typing import Iterator, Optional

import numpy as np
import shapely
from pyproj import CRS, Transformer

from ..errors import ConfigError, DataError
from .areas import read_polygons
from .filters import Bounds
from .place_table import read_table
from .places import WGS84, Georeference
from .records import SceneRecord
from .scene_names import find_scene


def read_regions(path: str, record: SceneRecord, text: Optional[str] = None) -> list[np.ndarray]:
    """The regions of a scene that a file names.

    Args:
        path: CSV with columns ``west, south, east, north`` or ``row, column, height, width``, see `read_table`, or
            GeoJSON with polygons in EPSG:4326. Lines of other texts, and what lies in other scenes, are left out.
        record: of the scene.
        text: what is asked.

    Returns:
        (K, 2) float64 column and row in pixels of the corners of each region.

    Raises:
        DataError: the file cannot be read, or names no region of this scene.
    """
    if path.lower().endswith(('.geojson', '.json')):
        regions = [
            _to_pixels(record, np.array(polygon.exterior.coords)[:-1, :2], path) for polygon in read_polygons(path)
        ]
    else:
        regions = list(_of_table(path, record, text))
    height, width = record.shape
    scene = shapely.box(0, 0, width, height)
    inside = [r for r in regions if np.isfinite(r).all() and scene.intersects(shapely.make_valid(shapely.Polygon(r)))]
    if not inside:
        raise DataError(f'{path} names no region of scene {record.source}; check its coordinates, scenes and texts')
    return inside


def _of_table(path: str, record: SceneRecord, text: Optional[str]) -> Iterator[np.ndarray]:
    for row in read_table(path, is_asked=False):
        place = row.place
        if row.text not in (None, text) or not _is_called(record, place.scene):
            continue
        if place.point is not None:
            raise DataError(f'{path}, line {row.line}, column lon: a point is no region; give a box')
        if place.bounds is not None:
            yield _to_pixels(record, _corners(place.bounds), path)
        elif place.window is not None:
            top, left, height, width = place.window
            yield np.array(
                [[left, top], [left + width, top], [left + width, top + height], [left, top + height]], float
            )


def _is_called(record: SceneRecord, name: Optional[str]) -> bool:
    try:
        return name is None or bool(find_scene({record.scene: record}, name))
    except ConfigError:
        return False


def _corners(bounds: Bounds) -> np.ndarray:
    west, south, east, north = bounds
    return np.array([[west, south], [east, south], [east, north], [west, north]], np.float64)


def _to_pixels(record: SceneRecord, lonlat: np.ndarray, path: str) -> np.ndarray:
    if record.georeference is None:
        raise DataError(f'{path} names places in degrees, and {record.source} has no georeference; give row and column')
    return to_pixels(record.georeference, lonlat, record.shape)


def to_pixels(georeference: Georeference, lonlat: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Longitude and latitude (K, 2) -> (K, 2) column and row in pixels of a scene; not finite where its CRS has none.

    Args:
        georeference: of the scene.
        lonlat: in degrees.
        shape: of the scene, in pixels, from whose middle longitudes are counted the shorter way round.
    """
    a, b, c, d, e, f = georeference.transform
    crs = CRS.from_user_input(georeference.crs)
    x, y = Transformer.from_crs(WGS84, crs, always_xy=True).transform(*np.asarray(lonlat, np.float64).T)
    if crs.is_geographic:
        middle = a * shape[1] / 2 + b * shape[0] / 2 + c
        x = x + 360 * np.round((middle - x) / 360)
    with np.errstate(invalid='ignore'):
        return np.linalg.solve([[a, b], [d, e]], np.stack([x - c, y - f])).T
