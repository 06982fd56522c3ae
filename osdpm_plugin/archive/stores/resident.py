"""Rows of a store, held in memory for exact search: vectors, and what filters ask of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from ..filters import Filter, in_scene, touches
from ..schema import bounds_of, vectors_of


class Resident(NamedTuple):
    """N rows, in the order of their tile ids, of S scenes.

    Attributes:
        ids: (N,) uint64 numbers by which the store finds the whole rows.
        vectors: (N, D) float32.
        bounds: (4, N) float64.
        scene: (N,) int32 positions of the scenes.
        scenes: S ids.
        times: (S,) int64 microseconds; the least number for no date.
        attributes: S lists of ``name=value``.
    """

    ids: np.ndarray
    vectors: np.ndarray
    bounds: np.ndarray
    scene: np.ndarray
    scenes: np.ndarray
    times: np.ndarray
    attributes: list[list[str]]

    @property
    def nbytes(self) -> int:
        """Memory of the rows."""
        return sum(x.nbytes for x in (self.ids, self.vectors, self.bounds, self.scene))

    def passing(self, condition: Filter) -> np.ndarray:
        """(N,) bool: rows that pass a filter which names no tiles."""
        keep = in_scene(condition, scenes=self.scenes, times=self.times, attributes=self.attributes)[self.scene]
        return keep if condition.bounds is None else keep & touches(condition.bounds, self.bounds)


COLUMNS = ('tile', 'scene', 'datetime', 'bbox', 'attributes', 'embedding')
"""What `make_resident` reads of each row, besides the store's own number of it."""


def make_resident(table: pa.Table, ids: np.ndarray) -> Resident:
    """Rows of a store -> `Resident`.

    Args:
        table: with `COLUMNS`.
        ids: (N,) uint64, in the order of the table.
    """
    order = np.argsort(table.column('tile').to_numpy(zero_copy_only=False).astype(str), kind='stable')
    names = table.column('scene').combine_chunks().dictionary_encode()
    names = names.combine_chunks() if isinstance(names, pa.ChunkedArray) else names
    code = names.indices.to_numpy(zero_copy_only=False).astype(np.int32)
    _, first = np.unique(code, return_index=True)
    times = table.column('datetime').cast(pa.int64()).take(first).to_pylist()
    return Resident(
        ids=ids[order],
        vectors=vectors_of(table)[order].astype(np.float32),
        bounds=np.ascontiguousarray(bounds_of(table)[:, order]),
        scene=code[order],
        scenes=np.array(names.dictionary.to_pylist(), dtype=object),
        times=np.array([np.iinfo(np.int64).min if time is None else time for time in times], np.int64),
        attributes=table.column('attributes').take(first).to_pylist(),
    )
