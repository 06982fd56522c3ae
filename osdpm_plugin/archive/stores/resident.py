"""Rows of a store in memory: what hits say and filters ask, and for exact search the vectors."""

from __future__ import annotations

from functools import cached_property
from typing import Iterable

import numpy as np
import pyarrow as pa

from ..filters import Filter, in_scene, touches
from ..schema import bounds_of, vectors_of

_REPEATED = ('scene', 'shard', 'source')  # stored once for all tiles that have them


class Resident:
    """N rows, in the order of the store.

    Args:
        rows: all columns but the embedding, and the store's own number of each row.
        row_id: name of the column of these numbers.

    Attributes:
        rows: all columns but the embedding.
        ids: (N,) uint64 numbers of the store.
        rank: (N,) int64 places of the rows in the order of their tile ids, by which equal scores are sorted.
        vectors: (N, D) float32; empty until `load_vectors`.
    """

    def __init__(self, rows: pa.Table, row_id: str) -> None:
        rows = rows.combine_chunks()
        self.ids = rows.column(row_id).to_numpy()
        self.rank = np.empty(rows.num_rows, np.int64)
        self.rank[np.argsort(rows.column('tile').to_numpy(zero_copy_only=False).astype(str), kind='stable')] = (
            np.arange(rows.num_rows)
        )
        self._types = {name: rows.schema.field(name).type for name in _REPEATED}
        for name in _REPEATED:
            place = rows.schema.get_field_index(name)
            rows = rows.set_column(place, name, rows.column(name).dictionary_encode().combine_chunks())
        self.rows = rows.drop_columns([row_id])
        self.vectors = np.empty((0, 0), np.float32)
        self._by_id = np.argsort(self.ids)

    @property
    def nbytes(self) -> int:
        """Memory of rows and vectors."""
        return self.rows.nbytes + self.ids.nbytes + self.rank.nbytes + self._by_id.nbytes + self.vectors.nbytes

    def load_vectors(self, batches: Iterable[pa.RecordBatch], row_id: str) -> None:
        """Take the vectors of the same rows, in any order, batch by batch, so that they are in memory once."""
        for batch in batches:
            block = vectors_of(batch)
            if not self.vectors.size:
                self.vectors = np.empty((len(self.ids), block.shape[1]), np.float32)
            self.vectors[self.places(batch.column(row_id).to_numpy())] = block

    def places(self, ids: np.ndarray) -> np.ndarray:
        """Numbers of the store -> positions of the rows."""
        return self._by_id[np.searchsorted(self.ids, ids, sorter=self._by_id)]

    def take(self, places: np.ndarray) -> pa.Table:
        """Whole rows but the embedding."""
        rows = self.rows.take(pa.array(places))
        for name, kind in self._types.items():
            rows = rows.set_column(rows.schema.get_field_index(name), name, rows.column(name).cast(kind))
        return rows

    def passing(self, condition: Filter) -> np.ndarray:
        """(N,) bool: rows that pass a filter."""
        scene, (ids, times, attributes) = self._scene, self._scenes
        keep = in_scene(condition, scenes=ids, times=times, attributes=attributes)[scene]
        if condition.bounds is not None:
            keep &= touches(condition.bounds, self._bounds)
        if condition.tiles is not None:
            tiles = self.rows.column('tile').to_numpy(zero_copy_only=False)
            keep &= np.isin(tiles, np.array(list(condition.tiles), dtype=object))
        return keep

    @cached_property
    def _bounds(self) -> np.ndarray:
        return bounds_of(self.rows)

    @cached_property
    def _scene(self) -> np.ndarray:
        """(N,) int32 positions of the scenes of rows."""
        return self.rows.column('scene').combine_chunks().indices.to_numpy(zero_copy_only=False)

    @cached_property
    def _scenes(self) -> tuple[list[str], np.ndarray, list[list[str]]]:
        """Ids of the scenes, their dates in microseconds (the least number for none), and their attributes."""
        _, first = np.unique(self._scene, return_index=True)
        times = self.rows.column('datetime').cast(pa.int64()).take(first).to_pylist()
        return (
            self.rows.column('scene').combine_chunks().dictionary.to_pylist(),
            np.array([np.iinfo(np.int64).min if time is None else time for time in times], np.int64),
            self.rows.column('attributes').take(first).to_pylist(),
        )
