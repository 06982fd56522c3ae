"""Hits -> GeoParquet 1.1."""

from __future__ import annotations

import json
from typing import Any, Sequence

import pyarrow.parquet as pq

from ...utils.files import write_atomically
from ..hits import Hits
from ..schema import BOUNDS
from .rows import BOX, GEOMETRY, table_of


def write_geoparquet(results: Sequence[Hits], path: str) -> None:
    """Write one row a hit, with its box in the column ``bbox``; xmin > xmax across the antimeridian.

    The box is declared as the covering of the geometry, by which readers filter, unless a hit crosses the antimeridian:
    readers compare xmin and xmax as numbers and would lose it.

    Raises:
        ConfigError: the operating system refused.
    """
    hits = [hit for found in results for hit in found if hit.footprint is not None and hit.bounds is not None]
    column: dict[str, Any] = dict(
        encoding='WKB',
        geometry_types=sorted({hit.footprint.geom_type for hit in hits}),  # type: ignore[union-attr]
        orientation='counterclockwise',
    )
    if not any(hit.bounds[0] > hit.bounds[2] for hit in hits):  # type: ignore[index]
        column['covering'] = dict(bbox={side: [BOX, side] for side in BOUNDS})
    geo = dict(version='1.1.0', primary_column=GEOMETRY, columns={GEOMETRY: column})  # without crs: OGC:CRS84
    table = table_of(results).replace_schema_metadata(dict(geo=json.dumps(geo)))
    write_atomically(path, lambda file: pq.write_table(table, file, compression='zstd'), '--out')
