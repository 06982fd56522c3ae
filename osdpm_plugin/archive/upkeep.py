"""An archive -> what is in it, what is wrong with it, and the same without some of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Iterable, Optional, Sequence, Union

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import ConfigError, DataError
from ..utils.files import atomic_file
from .building import remove_scene
from .folder import ArchiveFolder
from .loading import load_shards
from .scene_names import find_scene
from .schema import VECTOR, schema_of, vectors_of
from .shards import count_rows, read_shard
from .stores import Candidates, build_store

SAMPLE = 200  # tiles that ask for their neighbours when the recall of an index is measured


@dataclass
class Contents:
    """What an archive holds.

    Attributes:
        scenes: number of scenes.
        rows: tiles in the shards.
        stored: tiles in the store; None where it is not there.
        missing: ids of scenes of which units are still to be made.
        first: date of the oldest scene, as text; None without dates.
        last: date of the youngest scene.
        attributes: name -> values with the number of scenes.
        nbytes: size of all files.
        maker: see `make_maker`.
    """

    scenes: int
    rows: int
    stored: Optional[int]
    missing: list[str]
    first: Optional[str]
    last: Optional[str]
    attributes: dict[str, dict[str, int]]
    nbytes: int
    maker: dict[str, Any]


def look_into(folder: ArchiveFolder) -> Contents:
    """Count what is there, by the records and by the footers of the shards.

    Raises:
        ConfigError: there is no archive.
        DataError: a record is damaged.
    """
    description, records = folder.description(), folder.records()
    attributes: dict[str, dict[str, int]] = {}
    for record in records.values():
        for name, value in record.attributes.items():
            counts = attributes.setdefault(name, {})
            counts[value] = counts.get(value, 0) + 1
    dates = sorted(record.datetime for record in records.values() if record.datetime is not None)
    rows = {scene: [count_rows(path) for path in folder.shard_paths(record)] for scene, record in records.items()}
    store = build_store(description['store'], folder.store)
    return Contents(
        scenes=len(records),
        rows=sum(count or 0 for counts in rows.values() for count in counts),
        stored=store.count() if store.exists() else None,
        missing=[scene for scene, counts in rows.items() if None in counts],
        first=dates[0].isoformat() if dates else None,
        last=dates[-1].isoformat() if dates else None,
        attributes=attributes,
        nbytes=sum(path.stat().st_size for path in folder.path.rglob('*') if path.is_file()),
        maker=description['maker'],
    )


@dataclass
class Faults:
    """What is wrong with an archive.

    Attributes:
        records: damaged records of scenes, with the reason of each.
        shards: damaged shards, with the reason of each.
        missing: shards that are not there.
        store: what is wrong with the store; None if nothing is.
    """

    records: dict[Path, str] = field(default_factory=dict)
    shards: dict[Path, str] = field(default_factory=dict)
    missing: list[Path] = field(default_factory=list)
    store: Optional[str] = None

    def sentences(self) -> list[str]:
        """All of them."""
        missing = [f'shard {path} is not there' for path in self.missing]
        return [*self.records.values(), *self.shards.values(), *missing, *([self.store] if self.store else [])]

    def __bool__(self) -> bool:
        return bool(self.sentences())


def verify(folder: ArchiveFolder) -> Faults:
    """Read every shard and compare its rows with its digest, and the store with the shards.

    Raises:
        ConfigError: there is no archive.
    """
    description, faults = folder.description(), Faults()
    maker = description['maker']
    rows = 0
    for path in sorted(folder.scenes.glob('*.json')):
        try:
            record = folder.record(path.name[: -len('.json')])
        except DataError as error:
            faults.records[path] = str(error)
            continue
        for shard in folder.shard_paths(record):
            if not shard.is_file():
                faults.missing.append(shard)
                continue
            try:
                rows += read_shard(shard, dims=maker['dims'], check=True).num_rows
            except DataError as error:
                faults.shards[shard] = str(error)
    store = build_store(description['store'], folder.store)
    if not store.exists():
        faults.store = f'the store {folder.store} is not there or cannot be opened'
    elif not faults.records and not faults.shards and not faults.missing and store.count() != rows:
        faults.store = f'the store holds {store.count()} tiles and the shards {rows}'
    return faults


def drop_faults(folder: ArchiveFolder, faults: Faults) -> None:
    """Remove damaged records and shards, so that the next build makes them anew, and a wrong store too.

    Raises:
        ConfigError: somebody builds the archive.
    """
    with folder.builder():
        for path in (*faults.records, *faults.shards):
            path.unlink(missing_ok=True)
        folder.doubt(faults.shards)
        if faults.store:
            folder.loaded.unlink(missing_ok=True)


def rebuild_store(folder: ArchiveFolder) -> int:
    """Make the store anew from the shards; the number of its rows.

    Raises:
        ConfigError: there is no archive, or somebody builds it.
        DataError: a shard is damaged.
    """
    description = folder.description()
    with folder.builder():
        records = folder.records()
        folder.loaded.unlink(missing_ok=True)
        return load_shards(folder, build_store(description['store'], folder.store), records, description['maker'])


def remove(folder: ArchiveFolder, scenes: Iterable[str]) -> list[str]:
    """Remove scenes, named by id, file name or address; their ids.

    Raises:
        ConfigError: there is no such scene, or several.
    """
    description = folder.description()
    with folder.builder():
        records = folder.records()
        chosen = [find_scene(records, name) for name in scenes]
        store = build_store(description['store'], folder.store)
        left = {scene: record for scene, record in records.items() if scene not in chosen}
        load_shards(folder, store, left, description['maker'])
        for scene in chosen:
            remove_scene(folder, scene)
    return chosen


def export(folder: ArchiveFolder, out: Union[str, Path], *, vectors: bool = True) -> int:
    """Write all rows into one GeoParquet file, shard by shard; their number.

    Args:
        folder: the archive.
        out: the file.
        vectors: with embeddings.

    Raises:
        ConfigError: the file cannot be written.
        DataError: a shard is damaged.
    """
    maker = folder.description()['maker']
    schema = schema_of(maker['dims'])
    if not vectors:
        schema = schema.remove(schema.get_field_index(VECTOR))
    rows = 0
    try:
        with atomic_file(out, f'{out}.partial') as file, pq.ParquetWriter(file, schema, compression='zstd') as writer:
            for record in folder.records().values():
                for path in folder.shard_paths(record):
                    if path.is_file():
                        table = read_shard(path, dims=maker['dims']).select(schema.names)
                        writer.write_table(table.cast(schema))
                        rows += table.num_rows
    except OSError as error:
        raise ConfigError(
            f'{out} cannot be written ({error.strerror or error}); name a file in a folder with space'
        ) from error
    return rows


def index(folder: ArchiveFolder, *, k: int = 10) -> tuple[float, int]:
    """Make the index of approximate search, and measure its recall by tiles that ask for their neighbours.

    Args:
        folder: the archive.
        k: neighbours.

    Returns:
        Recall, 0 to 1: the share of the k best rows by exact search that the index finds too; and the number of tiles
        that asked.

    Raises:
        ConfigError: there is no archive, the store is not there or empty, or somebody builds it.
    """
    store = build_store(folder.description()['store'], folder.store)
    if not store.exists() or not store.count():
        raise ConfigError(f'the store of archive {folder} holds no tiles; make it: tools/archive/manage.py rebuild')
    with folder.builder():
        store.build_index()
        vectors = sample_vectors(store.scan([VECTOR]), store.count())
        exact, quick = (store.search(vectors, k, exact=choice) for choice in (True, False))
        recall = recall_of(exact, quick)
        folder.note_index(dict(recall=recall, k=k, queries=len(vectors), rows=store.count()))
    return recall, len(vectors)


def recall_of(exact: Sequence[Candidates], quick: Sequence[Candidates]) -> float:
    """Share, 0 to 1, of the tiles that exact search names for each query which another search names too."""
    found = sum(
        len({*a.rows.column('tile').to_pylist()} & {*b.rows.column('tile').to_pylist()}) for a, b in zip(exact, quick)
    )
    return found / max(1, sum(len(a.scores) for a in exact))


def sample_vectors(batches: Iterable[pa.RecordBatch], rows: int) -> np.ndarray:
    """(n, D) float32: at most `SAMPLE` vectors, evenly over the rows."""
    step, seen, kept = max(1, rows // SAMPLE), 0, []
    for batch in batches:
        block = vectors_of(batch)
        kept.append(block[(-seen) % step :: step])
        seen += len(block)
    return np.concatenate(kept)[:SAMPLE].astype(np.float32)
