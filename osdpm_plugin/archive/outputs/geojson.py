"""Hits -> GeoJSON as RFC 7946 has it."""

from __future__ import annotations

from typing import Any, Sequence

import shapely

from ...utils.files import write_json
from ..hits import Hit, Hits
from .rows import BOX, GEOMETRY, rfc3339, table_of

DIGITS = 7  # of a coordinate in degrees: 1 cm


def write_geojson(results: Sequence[Hits], path: str) -> None:
    """Write a FeatureCollection.

    Raises:
        ConfigError: the operating system refused.
    """
    hits = [hit for found in results for hit in found]
    rows = table_of(results).drop_columns([BOX, GEOMETRY]).to_pylist()
    features = [
        dict(type='Feature', **place_of(hit), properties={**row, 'datetime': rfc3339(row['datetime'])})
        for hit, row in zip(hits, rows)
    ]
    write_json(path, dict(type='FeatureCollection', features=features), '--out')


def place_of(hit: Hit) -> dict[str, Any]:
    """The members ``bbox`` and ``geometry`` of a feature; without georeference the latter alone, which is None."""
    if hit.footprint is None or hit.bounds is None:
        return dict(geometry=None)
    rounded = shapely.transform(shapely.orient_polygons(hit.footprint), lambda lonlat: lonlat.round(DIGITS))
    return dict(bbox=[round(side, DIGITS) for side in hit.bounds], geometry=shapely.geometry.mapping(rounded))
