"""The columns of an archive: one row is one tile."""

from __future__ import annotations

import json
from typing import Sequence, Union

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

GEOMETRY, VECTOR = 'footprint', 'embedding'
BOUNDS = ('xmin', 'ymin', 'xmax', 'ymax')  # the names that GeoParquet gives the sides of a box
WINDOW = ('row', 'column', 'height', 'width')


def schema_of(dims: int) -> pa.Schema:
    """Columns of a shard and of a store.

    - ``tile`` id, unique in the archive; ``scene`` id; ``shard`` the file that holds the row; ``source`` address;
    - ``row``, ``column``, ``height``, ``width``: the window in pixels of the scene;
    - ``datetime`` in UTC, null if unknown; ``gsd`` in metres, null without georeference; ``nodata`` share 0 to 1;
    - ``bbox`` in degrees, null without georeference, xmin > xmax across the antimeridian, which is why it is not
      declared as GeoParquet's covering; ``footprint`` as WKB in EPSG:4326;
    - ``attributes`` as ``name=value``; ``embedding`` (D,) float16 of length 1.

    Args:
        dims: D.
    """
    geo = dict(
        version='1.1.0',
        primary_column=GEOMETRY,
        columns={
            GEOMETRY: dict(
                encoding='WKB',
                geometry_types=['Polygon', 'MultiPolygon'],
                orientation='counterclockwise',
            )
        },
    )
    fields = [
        *((name, pa.string()) for name in ('tile', 'scene', 'shard', 'source')),
        *((name, pa.int32()) for name in WINDOW),
        ('datetime', pa.timestamp('us', tz='UTC')),
        ('gsd', pa.float64()),
        ('nodata', pa.float32()),
        ('bbox', pa.struct([(side, pa.float64()) for side in BOUNDS])),
        (GEOMETRY, pa.binary()),
        ('attributes', pa.list_(pa.string())),
        (VECTOR, pa.list_(pa.float16(), dims)),
    ]
    return pa.schema(fields, metadata=dict(geo=json.dumps(geo)))


def tile_id(scene: str, window: Sequence[int]) -> str:
    """Scene and window -> the id of a tile."""
    row, column, height, width = window
    return f'{scene}/{row}_{column}_{height}x{width}'


def vectors_of(rows: Union[pa.Table, pa.RecordBatch]) -> np.ndarray:
    """(N, D) float16 embeddings of rows, without a copy where they are in one piece."""
    column = rows.column(VECTOR)
    dims = column.type.list_size
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    parts = [chunk.flatten().to_numpy(zero_copy_only=False).reshape(-1, dims) for chunk in chunks]
    if not parts:
        return np.zeros((0, dims), np.float16)
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def bounds_of(table: pa.Table) -> np.ndarray:
    """(4, N) float64 west, south, east, north of a table; NaN without georeference."""
    boxes = table.column('bbox')
    return np.stack([pc.struct_field(boxes, side).to_numpy().astype(np.float64) for side in BOUNDS])


def boxes_of(bounds: np.ndarray) -> pa.Array:
    """(4, N) float64, NaN without georeference -> the column ``bbox``."""
    sides = [pa.array(side, pa.float64()) for side in bounds]
    return pa.StructArray.from_arrays(sides, list(BOUNDS), mask=pa.array(np.isnan(bounds[0])))
