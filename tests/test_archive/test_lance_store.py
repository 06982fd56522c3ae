"""The store in files: the suite of all stores, its index, and what filters become."""

from __future__ import annotations

import shutil

import numpy as np
import pyarrow as pa
import pytest

from osdpm_plugin.archive.filters import Filter
from osdpm_plugin.archive.schema import schema_of
from osdpm_plugin.archive.stores import LanceStore, build_store, lance_store
from osdpm_plugin.archive.stores.flat import best_rows
from osdpm_plugin.errors import ConfigError
from tests.helpers.store_conformance import DIMS, StoreConformance, rows


class TestLanceStore(StoreConformance):
    """LanceDB in a folder."""

    def make(self, place):
        return LanceStore(folder=place / 'store')


def clustered(count: int, centres: int, dims: int = DIMS) -> np.ndarray:
    """(N, D) float32 of length 1, round a few centres."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((centres, dims))[rng.integers(0, centres, count)] + 0.3 * rng.standard_normal((count, dims))
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def test_approximate_search(tmp_path, monkeypatch):
    """Without an index one sentence; with one, most of the exact rows in their order, under a filter too."""
    store = LanceStore(folder=tmp_path, probes=8)
    store.create(schema_of(DIMS), 'maker')
    table = rows(3000)
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(clustered(3000, 40).astype(np.float16).reshape(-1)), DIMS)
    store.upsert(table.set_column(14, table.schema.field('embedding'), vectors))
    queries = clustered(3000, 40)[:20]
    with pytest.raises(ConfigError, match='no index for approximate search; make it: tools/archive/manage.py index'):
        store.search(queries, 10, exact=False)
    store.build_index()
    some = Filter(attributes={'number': ['2', '3']})
    for exact, narrow in zip(store.search(queries, 10, some), store.search(queries, 10, some, exact=False)):
        assert narrow.exact  # few rows pass, so all of them were scored
        assert narrow.rows.column('tile').to_pylist() == exact.rows.column('tile').to_pylist()
    monkeypatch.setattr(lance_store, 'FEW', 100)
    for condition in (Filter(), some):
        hits = total = 0
        for exact, quick in zip(
            store.search(queries, 10, condition), store.search(queries, 10, condition, exact=False)
        ):
            assert exact.exact and not quick.exact
            want, got = exact.rows.column('tile').to_pylist(), quick.rows.column('tile').to_pylist()
            hits, total = hits + len({*want} & {*got}), total + len(want)
            np.testing.assert_allclose(quick.scores, np.sort(quick.scores)[::-1])
            assert quick.scores[0] == pytest.approx(exact.scores[0], abs=2e-3)
        assert total == 200 and hits >= 190


def test_damaged_store(tmp_path):
    store = LanceStore(folder=tmp_path / 'store')
    store.create(schema_of(DIMS), 'maker')
    store.upsert(rows())
    shutil.rmtree(tmp_path / 'store' / 'tiles.lance' / '_versions')
    assert not LanceStore(folder=tmp_path / 'store').exists()


def test_names_of_stores(tmp_path):
    assert isinstance(build_store(dict(type='LanceStore', probes=3), tmp_path), LanceStore)
    with pytest.raises(ConfigError, match="names no store; write e.g. dict\\(type='LanceStore'\\)"):
        build_store(dict(type='Cupboard'), tmp_path)
    with pytest.raises(ConfigError, match="unexpected keyword argument 'depth'"):
        build_store(dict(type='LanceStore', depth=3), tmp_path)
    with pytest.raises(ConfigError, match='LanceStore: probes must be a whole number'):
        build_store(dict(type='LanceStore', probes=0), tmp_path)


@pytest.mark.parametrize('count', [1, 5, 4000])
@pytest.mark.parametrize('share', [None, 0.0, 0.01, 0.6])
def test_best_rows_against_a_sort(count, share):
    """Exact search of vectors with many equal rows, against a stable sort of float64 products."""
    rng = np.random.default_rng(1)
    x = clustered(count, 7)
    x[rng.integers(0, count, count // 2)] = x[0]
    queries = clustered(40, 7)
    among = None if share is None else rng.random(count) < share
    rank = rng.permutation(count)
    places = np.arange(count) if among is None else np.flatnonzero(among)
    for query, (found, scores) in zip(queries, best_rows(x, queries, 12, rank=rank, among=among)):
        want = (x[places].astype(np.float64) @ query.astype(np.float64)).astype(np.float32)
        order = np.lexsort((rank[places], -want))[:12]
        np.testing.assert_array_equal(found, places[order])
        np.testing.assert_allclose(scores, want[order], atol=1e-7)
