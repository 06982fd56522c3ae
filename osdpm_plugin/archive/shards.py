"""Rows of one unit of work <-> one GeoParquet file, written beside its place and moved into it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import BinaryIO, Optional

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import shapely

from ..errors import DataError
from ..utils.files import write_atomically
from .places import footprints
from .records import SceneRecord
from .schema import WINDOW, boxes_of, schema_of, tile_id, vectors_of

_DIGEST = b'osdpm_digest'


def make_rows(
    record: SceneRecord, shard: str, windows: np.ndarray, nodata: np.ndarray, embedding: np.ndarray
) -> pa.Table:
    """The rows of N tiles of a scene.

    Args:
        record: of the scene.
        shard: name of the shard.
        windows: (N, 4) row, column, height, width.
        nodata: (N,) share of pixels without data.
        embedding: (N, D) float16.

    Raises:
        DataError: the coordinates are none that the CRS has.
    """
    count, dims = embedding.shape
    bounds, shapes = np.full((count, 4), np.nan), np.full(count, None)
    if record.georeference is not None and count:
        places = footprints(record.georeference, windows)
        bounds, shapes = places.bounds, shapely.to_wkb(places.polygons)
    columns = dict(
        tile=[tile_id(record.scene, window) for window in windows],
        scene=[record.scene] * count,
        shard=[shard] * count,
        source=[record.source] * count,
        **{name: windows[:, i].astype(np.int32) for i, name in enumerate(WINDOW)},
        datetime=[record.datetime] * count,
        gsd=[None if record.gsd is None else float(np.mean(record.gsd))] * count,
        nodata=nodata.astype(np.float32),
        bbox=boxes_of(bounds.T),
        footprint=list(shapes),
        attributes=[attribute_list(record)] * count,
        embedding=pa.FixedSizeListArray.from_arrays(pa.array(embedding.reshape(-1), pa.float16()), dims),
    )
    return pa.table(columns, schema=schema_of(dims))


def attribute_list(record: SceneRecord) -> list[str]:
    """Attributes as the rows hold them."""
    return [f'{name}={value}' for name, value in sorted(record.attributes.items())]


def restamp(table: pa.Table, record: SceneRecord) -> pa.Table:
    """Rows with the date and attributes that a scene has now."""
    for name, value in (('datetime', record.datetime), ('attributes', attribute_list(record))):
        place = table.schema.get_field_index(name)
        field = table.schema.field(place)
        table = table.set_column(place, field, pa.array([value] * table.num_rows, field.type))
    return table


def write_shard(table: pa.Table, path: Path) -> None:
    """Write a shard, whole or not at all.

    Raises:
        ConfigError: the operating system refused, e.g. since the disk is full.
    """
    table = table.replace_schema_metadata({**table.schema.metadata, _DIGEST: _digest(table).encode()})
    write_atomically(str(path), lambda file: _write(table, file), 'shard')


def _write(table: pa.Table, file: BinaryIO) -> None:
    pq.write_table(table, file, compression='zstd', write_page_checksum=True)


def read_shard(path: Path, *, dims: int, check: bool = False) -> pa.Table:
    """Read a shard.

    Args:
        path: of the file.
        dims: D of its archive.
        check: compare the rows with the digest that was written with them.

    Raises:
        DataError: the file is damaged, or is no shard of this archive.
    """
    try:
        table = pq.read_table(path, memory_map=False, page_checksum_verification=True)
    except (OSError, pa.ArrowException) as error:
        raise DataError(
            f'shard {path} is damaged ({" ".join(str(error).split())}); verify --repair makes it anew'
        ) from error
    if not table.schema.equals(schema_of(dims)):
        raise DataError(f'shard {path} has other columns than this archive; verify --repair makes it anew')
    if check and (table.schema.metadata or {}).get(_DIGEST, b'').decode() != _digest(table):
        raise DataError(
            f'shard {path} is damaged (its rows are not those that were written); verify --repair makes it anew'
        )
    return table


def count_rows(path: Path) -> Optional[int]:
    """Rows by the file's footer; None if it is damaged."""
    try:
        return pq.read_metadata(path).num_rows
    except (OSError, pa.ArrowException):
        return None


def _digest(table: pa.Table) -> str:
    """Of ids and vectors."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update('\n'.join(table.column('tile').to_pylist()).encode())
    digest.update(np.ascontiguousarray(vectors_of(table)).tobytes())
    return digest.hexdigest()
