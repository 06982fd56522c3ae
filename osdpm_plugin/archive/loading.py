"""Shards of an archive -> its store, and what the store has too much is removed."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Mapping

import pyarrow as pa

from .filters import Filter
from .folder import ArchiveFolder
from .records import SceneRecord
from .schema import schema_of
from .shards import read_shard
from .stores import TileStore

ROWS_AT_A_TIME = 50_000


def fingerprint_of(maker: Mapping[str, Any]) -> str:
    """32 hexadecimal digits of a maker."""
    return hashlib.blake2b(json.dumps(maker, sort_keys=True).encode(), digest_size=16).hexdigest()


def load_shards(
    folder: ArchiveFolder, store: TileStore, records: Mapping[str, SceneRecord], maker: Mapping[str, Any]
) -> int:
    """Make the store hold the rows of all complete scenes, and of nothing else.

    A scene is replaced at once when all of its units are there; until then the store keeps its old rows. It may be
    interrupted at any moment: a shard is noted before its rows are loaded, as one that is not sure, and again behind
    them. Without these notes the store is made anew.

    Args:
        folder: the archive.
        store: its store.
        records: of the scenes that the archive shall hold.
        maker: of the archive.

    Returns:
        Number of rows that were added.

    Raises:
        DataError: a shard is damaged.
    """
    dims, fingerprint = maker['dims'], fingerprint_of(maker)
    noted = folder.read_loaded()
    if noted is not None and store.exists():
        store.check(fingerprint)
        loaded = noted
    else:
        folder.loaded.unlink(missing_ok=True)
        store.create(schema_of(dims), fingerprint)
        loaded = {}
        folder.write_loaded(loaded)
    wanted: dict[str, list[str]] = {}  # scene -> names of its shards, if they are complete
    for scene, record in records.items():
        paths = folder.shard_paths(record)
        if all(path.is_file() for path in paths):
            wanted[scene] = [folder.shard_name(path) for path in paths]
    stale = {name.split('/')[0] for name in loaded if _is_stale(name, wanted, records)}
    if stale:
        store.delete(Filter(scenes=sorted(stale)))
        loaded = {name: rows for name, rows in loaded.items() if name.split('/')[0] not in stale}
        folder.write_loaded(loaded)
    missing = [name for names in wanted.values() for name in names if loaded.get(name) is None]
    added = 0
    waiting: list[pa.Table] = []
    names: list[str] = []
    for i, name in enumerate(missing):
        waiting.append(read_shard(folder.shards / f'{name}.parquet', dims=dims))
        names.append(name)
        if sum(table.num_rows for table in waiting) >= ROWS_AT_A_TIME or i == len(missing) - 1:
            rows = pa.concat_tables(waiting)
            folder.write_loaded({**loaded, **dict.fromkeys(names)})
            if rows.num_rows:
                store.upsert(rows)
            loaded.update({name: table.num_rows for name, table in zip(names, waiting)})
            folder.write_loaded(loaded)
            added += rows.num_rows
            waiting, names = [], []
    if added or stale:
        store.optimize()
    return added


def _is_stale(name: str, wanted: Mapping[str, list[str]], records: Mapping[str, SceneRecord]) -> bool:
    """Whether a loaded shard is of a scene that is gone, or of an older file of one whose new units are complete."""
    scene = name.split('/')[0]
    if scene not in records:
        return True
    return scene in wanted and name not in wanted[scene]
