"""Hits -> one table with a row a hit, in the columns that files of all kinds have."""

from __future__ import annotations

from datetime import datetime
from typing import Iterable, Optional, Sequence

import pyarrow as pa
import shapely

from ..filters import as_utc
from ..hits import Hit, Hits
from ..schema import BOUNDS, WINDOW

GEOMETRY, BOX = 'geometry', 'bbox'
_OF_HIT = pa.schema(
    [
        ('query', pa.string()),
        ('rank', pa.int32()),
        ('score', pa.float64()),
        *((name, pa.string()) for name in ('tile', 'scene', 'source')),
        *((name, pa.int32()) for name in WINDOW),
        ('lon', pa.float64()),
        ('lat', pa.float64()),
        ('datetime', pa.timestamp('us', tz='UTC')),
        ('gsd', pa.float64()),
        ('nodata', pa.float64()),
    ]
)
_OF_PLACE = pa.schema([(BOX, pa.struct([(side, pa.float64()) for side in BOUNDS])), (GEOMETRY, pa.binary())])
_PLAIN = ('rank', 'score', 'tile', 'scene', 'source', 'lon', 'lat', 'gsd', 'nodata')
SIDES = ('west', 'south', 'east', 'north')
_TAKEN = {*_OF_HIT.names, *_OF_PLACE.names, *SIDES, 'fid', 'geom', ''}  # fid, geom: GeoPackage's own


def table_of(results: Sequence[Hits]) -> pa.Table:
    """Hits of all queries, one below the other.

    Columns: ``query``, ``rank``, ``score``, ``tile``, ``scene``, ``source``, ``row``, ``column``, ``height``,
    ``width``, ``lon``, ``lat``, ``datetime`` (UTC), ``gsd``, ``nodata``, one string column for each attribute, ``bbox``
    (xmin > xmax across the antimeridian) and ``geometry`` (WKB in EPSG:4326, wound counterclockwise). What a hit does
    not have is null.
    """
    hits = [hit for found in results for hit in found]
    names = attribute_columns(name for hit in hits for name in hit.attributes)
    rows = [_row(found.query, hit, names) for found in results for hit in found]
    attributes = [pa.field(column, pa.string()) for column in names.values()]
    return pa.Table.from_pylist(rows, schema=pa.schema([*_OF_HIT, *attributes, *_OF_PLACE]))


def attribute_columns(names: Iterable[str]) -> dict[str, str]:
    """Attributes -> their columns, sorted. A name that is taken, in whatever case, gets ``attr_`` before it."""
    columns: dict[str, str] = {}
    taken = set(_TAKEN)
    for name in sorted(set(names)):
        column = name
        while column.lower() in taken:
            column = f'attr_{column}'
        taken.add(column.lower())
        columns[name] = column
    return columns


def rfc3339(moment: Optional[datetime]) -> Optional[str]:
    """A moment as text in UTC, such as 2024-05-01T10:30:00Z."""
    return None if moment is None else as_utc(moment).isoformat().replace('+00:00', 'Z')


def _row(query: str, hit: Hit, names: dict[str, str]) -> dict:
    return {
        'query': query,
        **{name: getattr(hit, name) for name in _PLAIN},
        **dict(zip(WINDOW, hit.window)),
        'datetime': None if hit.datetime is None else as_utc(hit.datetime),
        **{names[name]: value for name, value in hit.attributes.items()},
        BOX: None if hit.bounds is None else dict(zip(BOUNDS, hit.bounds)),
        GEOMETRY: None if hit.footprint is None else shapely.to_wkb(shapely.orient_polygons(hit.footprint)),
    }
