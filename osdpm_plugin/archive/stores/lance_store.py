"""A store in files, without a server: LanceDB keeps rows and index; exact search is by dot products in memory."""

from __future__ import annotations

import contextlib
import shutil
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Iterator, Optional, Sequence

import numpy as np
import pyarrow as pa

from ...errors import ConfigError
from ...utils.checks import check_int
from ..filters import EVERY, Filter
from ..schema import VECTOR, vectors_of
from .flat import best_rows
from .resident import Resident
from .tile_store import STORES, Candidates, TileStore

FEW = 20_000  # rows that pass a filter, below which all of them are scored whatever the index
_TABLE = 'tiles'
_FINGERPRINT = b'osdpm_fingerprint'
_ROW = '_rowid'


@STORES.register_module()
class LanceStore(TileStore):
    """Rows in a folder.

    The first query loads the rows into memory, about 250 bytes a tile, and for exact search their vectors as float32,
    4 D bytes a tile (2.3 GB a million tiles together at D = 512); after the store has changed, the next one does again.

    Args:
        folder: of the store.
        probes: partitions of the index of approximate search that a query looks into.
        refine: candidates a hit that are scored by their whole vectors.
    """

    def __init__(self, *, folder: Path, probes: int = 20, refine: int = 2) -> None:
        self.folder = folder
        self.probes = check_int('LanceStore', 'probes', probes)
        self.refine = check_int('LanceStore', 'refine', refine)
        self._opened: Any = None
        self._resident: Optional[tuple[int, Resident]] = None

    @property
    def _table(self) -> Any:
        """The table in its latest version."""
        if self._opened is None:
            self._opened = _connect(self.folder).open_table(_TABLE)
        self._opened.checkout_latest()
        return self._opened

    def exists(self) -> bool:
        """Whether the table can be opened."""
        try:
            self._table.schema  # noqa: B018
        except (ValueError, FileNotFoundError, RuntimeError, OSError):
            self._opened = None
            return False
        return True

    def create(self, schema: pa.Schema, fingerprint: str) -> None:
        """Begin anew; what was in the folder is removed."""
        shutil.rmtree(self.folder, ignore_errors=True)
        schema = schema.with_metadata({**(schema.metadata or {}), _FINGERPRINT: fingerprint.encode()})
        with self._in_words():
            self.folder.mkdir(parents=True)
            self._opened = _connect(self.folder).create_table(_TABLE, schema=schema)
        self._resident = None

    def check(self, fingerprint: str) -> None:
        """Raise ConfigError unless the rows are by the maker with this fingerprint."""
        found = (self._table.schema.metadata or {}).get(_FINGERPRINT, b'').decode()
        if found != fingerprint:
            raise ConfigError(
                f'the store in {self.folder} holds rows of another model; make it anew: tools/archive/manage.py rebuild'
            )

    def upsert(self, rows: pa.Table) -> None:
        """Add rows; those of tiles that are there replace them."""
        with self._in_words():
            (
                self._table.merge_insert('tile')
                .when_matched_update_all()
                .when_not_matched_insert_all()
                .execute(rows.replace_schema_metadata(None))
            )

    def delete(self, condition: Filter) -> None:
        """Remove the rows that pass a filter."""
        if condition.is_empty:
            raise ConfigError('an empty filter would remove every row; name scenes or tiles')
        with self._in_words():
            self._table.delete(to_sql(condition))

    def count(self, condition: Filter = EVERY) -> int:
        """Rows that pass a filter."""
        return self._table.count_rows(to_sql(condition))

    def scan(self, columns: Optional[Sequence[str]] = None, condition: Filter = EVERY) -> Iterator[pa.RecordBatch]:
        """Rows in the order of the store."""
        table = self._table
        query = table.search().select(list(columns or table.schema.names)).limit(max(1, table.count_rows()))
        sql = to_sql(condition)
        with self._in_words():
            yield from (query if sql is None else query.where(sql)).to_batches()

    def search(self, vectors: np.ndarray, k: int, condition: Filter = EVERY, *, exact: bool = True) -> list[Candidates]:
        """The k best rows for each query."""
        vectors = np.ascontiguousarray(vectors, np.float32)
        with self._in_words():
            return self._exact(vectors, k, condition) if exact else self._approximate(vectors, k, condition)

    def optimize(self) -> None:
        """Join small files, bring the indices up to date and remove what is older than an hour."""
        with self._in_words():
            self._table.optimize(cleanup_older_than=timedelta(hours=1))

    def build_index(self) -> None:
        """Make the index of approximate search."""
        from lancedb.index import HnswSq

        with self._in_words():
            self._table.create_index(VECTOR, config=HnswSq(distance_type='dot'), replace=True)

    @property
    def resident_bytes(self) -> int:
        """Memory that exact search holds; it is loaded if it is not."""
        return self._load(vectors=True).nbytes

    @property
    def is_indexed(self) -> bool:
        """Whether there is an index for approximate search."""
        return any(VECTOR in index.columns for index in self._table.list_indices())

    @contextlib.contextmanager
    def _in_words(self) -> Iterator[None]:
        """What LanceDB says of a full disk or a damaged file -> ConfigError."""
        try:
            yield
        except (RuntimeError, OSError) as error:
            words = ' '.join(str(error).split()).split(', /')[0]  # without the line of its source
            raise ConfigError(
                f'the store in {self.folder} cannot be used ({words}); make room on its disk, or make it anew: '
                'tools/archive/manage.py rebuild'
            ) from error

    def _exact(self, vectors: np.ndarray, k: int, condition: Filter) -> list[Candidates]:
        resident = self._load(vectors=True)
        if not len(resident.ids):
            return [Candidates(np.zeros(0, np.float32), resident.take(np.zeros(0, np.int64)), True)] * len(vectors)
        among = None if condition.is_empty else resident.passing(condition)
        found = best_rows(resident.vectors, vectors, k, rank=resident.rank, among=among)
        return [Candidates(scores, resident.take(places), True) for places, scores in found]

    def _approximate(self, vectors: np.ndarray, k: int, condition: Filter) -> list[Candidates]:
        if not self.is_indexed:
            raise ConfigError('the archive has no index for approximate search; make it: tools/archive/manage.py index')
        resident, sql, found = self._load(vectors=False), to_sql(condition), []
        if sql is not None and resident.passing(condition).sum() < FEW:
            return self._among_few(vectors, k, resident, sql)
        for vector in vectors:
            query = self._opened.search(vector, vector_column_name=VECTOR).distance_type('dot').limit(k)
            query = query if sql is None else query.where(sql, prefilter=True)
            query = query.nprobes(self.probes).refine_factor(self.refine)
            rows = query.select(['_distance']).with_row_id(True).to_arrow()
            scores = 1.0 - rows.column('_distance').to_numpy().astype(np.float32)
            places = resident.places(rows.column(_ROW).to_numpy())
            found.append(Candidates(scores, resident.take(places), False))
        return found

    def _among_few(self, vectors: np.ndarray, k: int, resident: Resident, sql: str) -> list[Candidates]:
        """Exact search of the rows that pass, whose vectors alone are read."""
        rows = _all(self._opened, [VECTOR]).where(sql).to_arrow()
        places = resident.places(rows.column(_ROW).to_numpy())
        found = best_rows(vectors_of(rows).astype(np.float32), vectors, k, rank=resident.rank[places])
        return [Candidates(scores, resident.take(places[best]), True) for best, scores in found]

    def _load(self, *, vectors: bool) -> Resident:
        """The rows of the latest version in memory, and their vectors if they are wanted."""
        table = self._table
        if self._resident is None or self._resident[0] != table.version:
            self._resident = None  # frees the old one first
            names = [name for name in table.schema.names if name != VECTOR]
            self._resident = table.version, Resident(_all(table, names).to_arrow(), _ROW)
        resident = self._resident[1]
        if vectors and len(resident.vectors) < len(resident.ids):
            resident.load_vectors(_all(table, [VECTOR]).to_batches(), _ROW)
        return resident


def _all(table: Any, columns: Sequence[str]) -> Any:
    """A query for columns of all rows, with their numbers."""
    return table.search().select(list(columns)).with_row_id(True).limit(max(1, table.count_rows()))


def _connect(folder: Path) -> Any:
    """Open a folder by LanceDB, which is imported here since it warns of every fork after its import."""
    import lancedb

    return lancedb.connect(folder)


def to_sql(condition: Filter) -> Optional[str]:
    """A filter in the SQL of LanceDB (DataFusion); None without conditions."""
    parts = []
    if condition.bounds is not None:
        west, south, east, north = (repr(float(side)) for side in condition.bounds)
        begins, ends, crosses = f'bbox.xmin <= {east}', f'bbox.xmax >= {west}', 'bbox.xmin > bbox.xmax'
        if condition.bounds[0] <= condition.bounds[2]:
            across = f'(({begins} AND {ends}) OR ({crosses} AND ({begins} OR {ends})))'
        else:
            across = f'({crosses} OR {begins} OR {ends})'
        parts.append(f'bbox.ymin <= {north} AND bbox.ymax >= {south} AND {across}')
    if condition.start is not None:
        parts.append(f'datetime >= {_moment(condition.start)}')
    if condition.end is not None:
        parts.append(f'datetime <= {_moment(condition.end)}')
    for name, values in condition.attributes.items():
        wanted = ', '.join(_text(f'{name}={value}') for value in values)
        parts.append(f'array_has_any(attributes, [{wanted}])')
    for column, ids in (('scene', condition.scenes), ('tile', condition.tiles)):
        if ids is not None:
            parts.append(f'{column} IN ({", ".join(map(_text, ids))})' if len(ids) else 'false')
    return ' AND '.join(parts) or None


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _moment(value: datetime) -> str:
    return f"timestamp '{value.isoformat(timespec='microseconds')}'"
