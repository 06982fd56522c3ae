"""What every store of tiles must do; a test module subclasses `StoreConformance` and makes the store."""

from __future__ import annotations

import datetime as dt
from typing import Optional

import numpy as np
import pyarrow as pa
import pytest
import shapely

from osdpm_plugin.archive.filters import EVERY, Filter
from osdpm_plugin.archive.schema import boxes_of, schema_of, tile_id
from osdpm_plugin.archive.stores import TileStore
from osdpm_plugin.errors import ConfigError

DIMS = 8
DAYS = [
    None,
    dt.datetime(2023, 12, 31, 23, 59, 59, tzinfo=dt.timezone.utc),
    dt.datetime(2024, 5, 17, tzinfo=dt.timezone.utc),
]
SENSORS = ['GF-2', "O'Brien", '高分']


def vectors(count: int, seed: int = 0) -> np.ndarray:
    """(N, D) float16 of length 1."""
    x = np.random.default_rng(seed).standard_normal((count, DIMS))
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float16)


def rows(count: int = 60, *, scenes: int = 5, seed: int = 0, shard: str = 'a') -> pa.Table:
    """Tiles of scenes all over the Earth: scene 0 has no place, scene 1 lies across the antimeridian."""
    scene = np.arange(count) % scenes
    windows = [(16 * (i // scenes), 0, 16, 16) for i in range(count)]
    west = np.where(scene == 1, 179.9995, -150 + 40.0 * scene + 0.001 * np.arange(count))
    east = np.where(scene == 1, -179.9995, west + 0.001)
    south = 10.0 * scene - 20 + 0.001 * np.arange(count)
    bounds = np.stack([west, south, east, south + 0.001])
    bounds[:, scene == 0] = np.nan
    boxes = [None if s == 0 else shapely.to_wkb(shapely.box(0, 0, 1, 1)) for s in scene]
    return pa.table(
        dict(
            tile=[tile_id(f'scene{s}', w) for s, w in zip(scene, windows)],
            scene=[f'scene{s}' for s in scene],
            shard=[f'scene{s}/{shard}-00000' for s in scene],
            source=[f'/scenes/scene{s}.tif' for s in scene],
            row=pa.array([w[0] for w in windows], pa.int32()),
            column=pa.array([w[1] for w in windows], pa.int32()),
            height=pa.array([w[2] for w in windows], pa.int32()),
            width=pa.array([w[3] for w in windows], pa.int32()),
            datetime=[DAYS[s % 3] for s in scene],
            gsd=[None if s == 0 else 0.5 for s in scene],
            nodata=pa.array(np.zeros(count), pa.float32()),
            bbox=boxes_of(bounds),
            footprint=boxes,
            attributes=[[f'sensor={SENSORS[s % 3]}', f'number={s}'] for s in scene],
            embedding=pa.FixedSizeListArray.from_arrays(pa.array(vectors(count, seed).reshape(-1)), DIMS),
        ),
        schema=schema_of(DIMS),
    )


def passes(row: dict, condition: Filter) -> bool:
    """Whether a row passes a filter, written down a second time, row by row."""
    if condition.bounds is not None:
        west, south, east, north = condition.bounds
        box = row['bbox']
        if box is None or box['ymin'] > north or box['ymax'] < south:
            return False
        spans = [(west, east)] if west <= east else [(west, 180), (-180, east)]
        own = [(box['xmin'], box['xmax'])] if box['xmin'] <= box['xmax'] else [(box['xmin'], 180), (-180, box['xmax'])]
        if not any(a <= d and c <= b for a, b in spans for c, d in own):
            return False
    when = row['datetime']
    if (condition.start or condition.end) and when is None:
        return False
    if condition.start and when < condition.start or condition.end and when > condition.end:
        return False
    if any(not {f'{k}={v}' for v in values} & set(row['attributes']) for k, values in condition.attributes.items()):
        return False
    if condition.scenes is not None and row['scene'] not in condition.scenes:
        return False
    return condition.tiles is None or row['tile'] in condition.tiles


CONDITIONS = {
    'everything': Filter(),
    'box': Filter(bounds=(-80.0, -1.0, -60.0, 1.0)),
    'box of one tile': Filter(bounds=(-69.9975, 0.0025, -69.9974, 0.0026)),
    'box without tiles': Filter(bounds=(100.0, 80.0, 101.0, 81.0)),
    'whole Earth': Filter(bounds=(-180.0, -90.0, 180.0, 90.0)),
    'across the antimeridian': Filter(bounds=(170.0, -90.0, -175.0, 90.0)),
    'just east of the antimeridian': Filter(bounds=(-180.0, -90.0, -179.9999, 90.0)),
    'just west of it': Filter(bounds=(179.9999, -90.0, 180.0, 90.0)),
    'box across that holds others': Filter(bounds=(-40.0, -90.0, -60.0, 90.0)),
    'from a date': Filter(start=dt.datetime(2024, 1, 1)),
    'up to a date, included': Filter(end=dt.datetime(2023, 12, 31, 23, 59, 59)),
    'interval in another zone': Filter(
        start=dt.datetime(2024, 5, 17, 8, tzinfo=dt.timezone(dt.timedelta(hours=8))),
        end=dt.datetime(2024, 5, 17, 8, tzinfo=dt.timezone(dt.timedelta(hours=8))),
    ),
    'attribute with a quote': Filter(attributes={'sensor': ["O'Brien"]}),
    'attribute in Chinese': Filter(attributes={'sensor': ['高分']}),
    'one of several values': Filter(attributes={'sensor': ['GF-2', '高分'], 'number': ['0', '3']}),
    'unknown value': Filter(attributes={'sensor': ['GF']}),
    'scenes': Filter(scenes=['scene2', 'scene4', 'none']),
    'no scenes': Filter(scenes=[]),
    'tiles': Filter(tiles=['scene3/16_0_16x16', 'scene3/0_0_16x16']),
    'all together': Filter(
        bounds=(-80.0, -1.0, -60.0, 1.0), start=dt.datetime(2024, 1, 1), attributes={'number': ['2']}, scenes=['scene2']
    ),
}  # fmt: skip


class StoreConformance:
    """The suite; `make` opens a store by one place, so that a second one sees what the first wrote."""

    def make(self, place) -> TileStore:
        raise NotImplementedError

    @pytest.fixture
    def store(self, tmp_path) -> TileStore:
        store = self.make(tmp_path)
        store.create(schema_of(DIMS), 'maker')
        store.upsert(rows())
        store.optimize()
        return store

    def reopened(self, tmp_path) -> TileStore:
        return self.make(tmp_path)

    @pytest.mark.parametrize('name', list(CONDITIONS))
    def test_filters(self, store, name):
        """Count, scan and search agree with a second reading of each filter, row by row."""
        condition = CONDITIONS[name]
        want = sorted(row['tile'] for row in rows().to_pylist() if passes(row, condition))
        assert store.count(condition) == len(want)
        scanned = [tile for batch in store.scan(['tile'], condition) for tile in batch.column('tile').to_pylist()]
        assert sorted(scanned) == want
        query = vectors(1, seed=9).astype(np.float32)
        for k in (1, 7, 1000):
            (found,) = store.search(query, k, condition)
            assert found.exact and found.rows.column('tile').to_pylist() == self.best(query[0], k, condition)

    def best(self, query: np.ndarray, k: int, condition: Filter = EVERY, table: Optional[pa.Table] = None) -> list[str]:
        """Ids of the best rows by a loop; of equal scores the one whose id sorts first."""
        table = rows() if table is None else table
        scored = [
            (-float(np.float32(np.dot(np.array(row['embedding'], np.float64), query.astype(np.float64)))), row['tile'])
            for row in table.to_pylist()
            if passes(row, condition)
        ]
        return [tile for _, tile in sorted(scored)[:k]]

    def test_scores_and_columns(self, store):
        queries = vectors(5, seed=3).astype(np.float32)
        table = rows()
        scores = np.array(table.column('embedding').to_pylist()) @ queries.T.astype(np.float64)
        for query, found, column in zip(queries, store.search(queries, 10), scores.T):
            assert found.rows.column('tile').to_pylist() == self.best(query, 10)
            np.testing.assert_allclose(found.scores, np.sort(column)[::-1][:10], atol=1e-6)
            (first,) = found.rows.slice(0, 1).to_pylist()
            want = next(row for row in table.to_pylist() if row['tile'] == first['tile'])
            want.pop('embedding')
            assert repr(first) == repr(want)  # NaN is equal to itself as text

    def test_equal_scores(self, store):
        """Twenty equal rows: every k gives the ids that sort first, with equal scores."""
        table = rows(20, scenes=2, seed=5)
        same = pa.FixedSizeListArray.from_arrays(pa.array(np.tile(vectors(1), (20, 1)).reshape(-1)), DIMS)
        table = table.set_column(table.schema.get_field_index('embedding'), table.schema.field('embedding'), same)
        store.delete(Filter(scenes=[f'scene{i}' for i in range(5)]))
        store.upsert(table)
        for k in (1, 3, 19):
            (found,) = store.search(vectors(1).astype(np.float32), k)
            assert found.rows.column('tile').to_pylist() == sorted(table.column('tile').to_pylist())[:k]
            assert len(set(found.scores.tolist())) == 1

    def test_upsert_replaces(self, store, tmp_path):
        changed = rows(10, seed=7, shard='b')
        store.upsert(changed)
        store.optimize()
        assert store.count() == 60
        query = vectors(10, seed=7)[3:4].astype(np.float32)
        (found,) = self.reopened(tmp_path).search(query, 1)
        assert found.rows.column('tile').to_pylist() == [changed.column('tile')[3].as_py()]
        assert found.rows.column('shard').to_pylist() == [changed.column('shard')[3].as_py()]

    def test_delete(self, store, tmp_path):
        store.delete(Filter(scenes=['scene2', 'scene3']))
        again = self.reopened(tmp_path)
        assert again.count() == store.count() == 36
        assert again.count(Filter(scenes=['scene2'])) == 0
        (found,) = store.search(vectors(1).astype(np.float32), 100)
        assert not {'scene2', 'scene3'} & {*found.rows.column('scene').to_pylist()} and len(found.scores) == 36
        with pytest.raises(ConfigError, match='an empty filter would remove every row'):
            store.delete(Filter())
        store.delete(Filter(scenes=[f'scene{i}' for i in range(5)]))
        assert store.count() == 0
        (found,) = store.search(vectors(1).astype(np.float32), 5)
        assert len(found.scores) == 0 and found.rows.num_rows == 0

    def test_another_process_writes(self, store, tmp_path):
        """A store that is open sees what another has written meanwhile."""
        query = vectors(1, seed=11).astype(np.float32)
        store.search(query, 1)
        other = self.reopened(tmp_path)
        table = rows(10, scenes=5, seed=11, shard='c')
        other.upsert(table)
        (found,) = store.search(query, 1)
        assert found.rows.column('tile').to_pylist() == [table.column('tile')[0].as_py()]

    def test_maker(self, store, tmp_path):
        again = self.reopened(tmp_path)
        again.check('maker')
        with pytest.raises(ConfigError, match='holds rows of another model'):
            again.check('another')
        again.create(schema_of(DIMS), 'another')
        again.check('another')
        assert again.count() == 0

    def test_it_is_not_there(self, tmp_path):
        assert not self.make(tmp_path / 'nowhere').exists()
        store = self.make(tmp_path)
        store.create(schema_of(DIMS), 'maker')
        assert store.exists() and store.count() == 0

    def test_scan_gives_all_columns(self, store):
        table = pa.Table.from_batches(list(store.scan()))
        assert table.num_rows == 60 and table.column_names == schema_of(DIMS).names
        by_tile = {row['tile']: row for row in rows().to_pylist()}
        for row in table.to_pylist():
            assert row['embedding'] == by_tile[row['tile']]['embedding']
