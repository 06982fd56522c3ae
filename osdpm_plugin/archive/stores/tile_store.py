"""What every store of tiles can do."""

from __future__ import annotations

import abc
from pathlib import Path
from typing import Any, Iterator, Mapping, NamedTuple, Optional, Sequence

import numpy as np
import pyarrow as pa
from mmengine.registry import Registry

from ...errors import ConfigError
from ..filters import EVERY, Filter

STORES = Registry('tile store', locations=['osdpm_plugin.archive.stores'])


class Candidates(NamedTuple):
    """The best rows of one query, best first.

    Attributes:
        scores: (k,) float32 dot products.
        rows: k rows with all columns but the embedding.
        exact: whether nothing better was left out.
    """

    scores: np.ndarray
    rows: pa.Table
    exact: bool


class TileStore(abc.ABC):
    """A collection of rows (see `schema_of`) that is searched by dot product.

    A store is opened in the process that uses it, after forking. It is made from the shards of an archive and can be
    made from them again.
    """

    @abc.abstractmethod
    def exists(self) -> bool:
        """Whether it has been created and can be read."""

    @abc.abstractmethod
    def create(self, schema: pa.Schema, fingerprint: str) -> None:
        """Begin anew, without rows.

        Args:
            schema: of the rows.
            fingerprint: of the maker of the rows; `check` compares it.
        """

    @abc.abstractmethod
    def check(self, fingerprint: str) -> None:
        """Raise ConfigError unless the rows are by the maker with this fingerprint."""

    @abc.abstractmethod
    def upsert(self, rows: pa.Table) -> None:
        """Add rows; those of tiles that are there replace them."""

    @abc.abstractmethod
    def delete(self, condition: Filter) -> None:
        """Remove the rows that pass a filter; an empty filter is refused."""

    @abc.abstractmethod
    def count(self, condition: Filter = EVERY) -> int:
        """Rows that pass a filter."""

    @abc.abstractmethod
    def search(self, vectors: np.ndarray, k: int, condition: Filter = EVERY, *, exact: bool = True) -> list[Candidates]:
        """The k rows with the highest dot products, for each query.

        Args:
            vectors: (Q, D) float32 queries.
            k: rows a query; fewer where fewer pass.
            condition: which rows may be returned.
            exact: look at every row that passes; otherwise an index may miss some. Of equal scores the tile whose id
                sorts first comes first.
        """

    @abc.abstractmethod
    def scan(self, columns: Optional[Sequence[str]] = None, condition: Filter = EVERY) -> Iterator[pa.RecordBatch]:
        """Rows in the order of the store; without ``columns``, all columns."""

    @abc.abstractmethod
    def build_index(self) -> None:
        """Make what approximate search needs."""

    @abc.abstractmethod
    def optimize(self) -> None:
        """Bring files and indices up to date after rows have changed."""


def build_store(config: Mapping[str, Any], folder: Path) -> TileStore:
    """The store that a config names.

    Args:
        config: ``dict(type='LanceStore', ...)``.
        folder: for stores that are files.

    Raises:
        ConfigError: there is no such store, or it takes no such argument.
    """
    settings = dict(config)
    kind = STORES.get(str(settings.pop('type', '')))
    if kind is None:
        raise ConfigError(f"store={dict(config)} names no store; write e.g. dict(type='LanceStore')")
    try:
        return kind(folder=folder, **settings)
    except TypeError as error:
        raise ConfigError(f'store={dict(config)}: {error}') from error
