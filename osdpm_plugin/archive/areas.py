"""GeoJSON files -> polygons."""

from __future__ import annotations

from pathlib import Path

import shapely
from shapely.geometry.base import BaseGeometry

from ..errors import DataError


def read_polygons(path: str) -> list[shapely.Polygon]:
    """The polygons of a file, those of multipolygons and features one by one.

    Raises:
        DataError: it cannot be read, or holds none.
    """
    try:
        geometry = shapely.from_geojson(Path(path).read_text('utf-8'))
    except (OSError, ValueError, shapely.errors.GEOSException) as error:
        raise DataError(f'{path} cannot be read as GeoJSON ({" ".join(str(error).split())})') from error
    polygons = [
        part
        for drawn in _parts(geometry)
        if isinstance(drawn, shapely.Polygon)
        for part in _parts(shapely.make_valid(drawn))  # one whose sides cross is several
        if isinstance(part, shapely.Polygon) and not part.is_empty
    ]
    if not polygons:
        raise DataError(f'{path} holds no polygon; draw one')
    return polygons


def _parts(geometry: BaseGeometry) -> list[BaseGeometry]:
    return [p for part in geometry.geoms for p in _parts(part)] if hasattr(geometry, 'geoms') else [geometry]
