"""Queries of an archive's store -> times, against FAISS's exact index on the same vectors.

Vectors lie round centres, as embeddings of scenes do; each has a place on the Earth. Both sides hold them in memory:
what the first query loads is reported apart.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from ...archive.filters import EVERY, Filter
from ...archive.schema import boxes_of, schema_of
from ...archive.stores import LanceStore
from ...archive.upkeep import recall_of
from ...errors import ConfigError
from .report import Goal, comparison
from .timing import Pairs, min_median_max, rounds

TIME_GOAL = Goal('at most', 1.2)
SPEED_GOAL = Goal('at least', 10.0)
FILTER_SHARE, FILTER_MS = 0.002, 20.0
RECALL_GOAL = 0.95
CENTRES_PER_MILLION = 20_000
TOPK = 10
QUERIES = 20  # asked one by one; a measured time is of all of them
_ROWS_AT_A_TIME = 100_000


def clustered_vectors(count: int, dims: int, seed: int = 0) -> np.ndarray:
    """(N, D) float16 of length 1, round centres that are drawn like them."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((max(8, count * CENTRES_PER_MILLION // 1_000_000), dims), dtype=np.float32)
    vectors = np.empty((count, dims), np.float16)
    for start in range(0, count, _ROWS_AT_A_TIME):
        size = min(_ROWS_AT_A_TIME, count - start)
        block = centres[rng.integers(0, len(centres), size)] + 0.7 * rng.standard_normal((size, dims), dtype=np.float32)
        vectors[start : start + size] = block / np.linalg.norm(block, axis=1, keepdims=True)
    return vectors


def fill(store: LanceStore, vectors: np.ndarray, seed: int = 0) -> np.ndarray:
    """Write tiles of 1,600 a scene at random places; (N, 2) longitude and latitude of them."""
    rng = np.random.default_rng(seed)
    places = np.stack([rng.uniform(-180, 180, len(vectors)), rng.uniform(-60, 60, len(vectors))], axis=1)
    dims = vectors.shape[1]
    schema = schema_of(dims)
    store.create(schema, 'benchmark')
    for start in range(0, len(vectors), _ROWS_AT_A_TIME):
        part = np.arange(start, min(start + _ROWS_AT_A_TIME, len(vectors)))
        scenes = [f'scene{i // 1600:06d}' for i in part]
        corners = np.concatenate([places[part], places[part] + 0.001], axis=1).T
        zeros = np.zeros(len(part), np.int32)
        store.upsert(
            pa.table(
                dict(
                    tile=[f'{scene}/{i:09d}' for scene, i in zip(scenes, part)],
                    scene=scenes,
                    shard=scenes,
                    source=scenes,
                    **{name: zeros for name in ('row', 'column', 'height', 'width')},
                    datetime=[None] * len(part),
                    gsd=[0.5] * len(part),
                    nodata=zeros.astype(np.float32),
                    bbox=boxes_of(corners),
                    footprint=[b''] * len(part),
                    attributes=[[]] * len(part),
                    embedding=pa.FixedSizeListArray.from_arrays(pa.array(vectors[part].reshape(-1)), dims),
                ),
                schema=schema,
            )
        )
    return places


def compare_search(folder: Path, *, repeats: int, count: int = 200_000, width: int = 512) -> list[dict[str, Any]]:
    """Time single queries of both sides in turns.

    Args:
        folder: empty; the store goes there.
        repeats: passes of each side, each of `QUERIES` queries.
        count: tiles.
        width: D.

    Returns:
        rows of `report.comparison`: exact search, the same under a filter that few tiles pass, and approximate search
        against exact search, with its recall.

    Raises:
        ConfigError: FAISS is not installed.
    """
    try:
        import faiss
    except ImportError as error:
        raise ConfigError(
            'the archive is compared with FAISS, which is not installed; pip install faiss-cpu'
        ) from error
    faiss.omp_set_num_threads(torch.get_num_threads())
    vectors = clustered_vectors(count, width)
    store = LanceStore(folder=folder / 'store')
    places = fill(store, vectors)
    queries = clustered_vectors(count, width)[:: max(1, count // QUERIES)][:QUERIES].astype(np.float32)
    begin = time.perf_counter()
    store.search(queries[:1], TOPK)
    load_s = time.perf_counter() - begin
    flat = faiss.IndexFlatIP(width)
    flat.add(vectors.astype(np.float32))
    side = 180 * np.sqrt(FILTER_SHARE)  # of a box of so many degrees of longitude, and a third of them of latitude
    box = (-side, -side / 3, side, side / 3)
    inside = (np.abs(places[:, 0]) <= side) & (np.abs(places[:, 1]) <= side / 3)
    selector = faiss.SearchParameters(sel=faiss.IDSelectorBatch(np.flatnonzero(inside)))  # type: ignore[call-arg]

    def ours(condition: Filter) -> None:
        for query in queries:
            store.search(query[None], TOPK, condition)

    def theirs(**options: Any) -> None:
        for query in queries:
            flat.search(query[None], TOPK, **options)

    exact = rounds((lambda: ours(EVERY), theirs), repeats=repeats)
    near = Filter(bounds=box)
    narrow = rounds((lambda: ours(near), lambda: theirs(params=selector)), repeats=repeats)
    common = dict(tiles=count, width=width, queries=QUERIES, resident_bytes=store.resident_bytes, load_s=load_s)
    rows = [
        comparison(
            what=f'exact search of {count} x {width}, {QUERIES} queries one by one',
            ours='archive',
            theirs='FAISS Flat',
            pairs=Pairs(*exact),
            goal=TIME_GOAL,
            details=dict(common, flat_bytes=4 * count * width, recall=_agreement(store, flat, queries, EVERY, None)),
        ),
        comparison(
            what=f'the same in a box with {100 * inside.mean():.2f} % of the tiles',
            ours='archive',
            theirs='FAISS Flat, ID selector',
            pairs=Pairs(*narrow),
            goal=None,
            details=dict(
                common,
                passing=int(store.count(near)),
                milliseconds=1e3 * min_median_max(narrow[0]).median / QUERIES,
                milliseconds_goal=FILTER_MS,
                recall=_agreement(store, flat, queries, near, selector),
            ),
        ),
    ]
    begin = time.perf_counter()
    store.build_index()
    index_s = time.perf_counter() - begin

    def approximate() -> None:
        for query in queries:
            store.search(query[None], TOPK, exact=False)

    quick = rounds((approximate, lambda: ours(EVERY)), repeats=repeats)
    recall = recall_of(store.search(queries, TOPK), store.search(queries, TOPK, exact=False))
    rows.append(
        comparison(
            what=f'approximate search, recall@{TOPK} {recall:.3f}',
            ours='HNSW index',
            theirs='exact search of the archive',
            pairs=Pairs(*quick),
            goal=SPEED_GOAL,
            details=dict(common, index_s=index_s, recall=recall, recall_goal=RECALL_GOAL),
        )
    )
    return rows


def _agreement(store: LanceStore, flat: Any, queries: np.ndarray, condition: Filter, selector: Any) -> float:
    """Share of FAISS's neighbours that exact search of the archive gives too."""
    options = {} if selector is None else dict(params=selector)
    _, wanted = flat.search(queries, TOPK, **options)
    found = store.search(queries, TOPK, condition)
    hits = sum(
        len({int(tile.rpartition('/')[2]) for tile in ours.rows.column('tile').to_pylist()} & {*map(int, theirs)})
        for ours, theirs in zip(found, wanted)
    )
    return hits / wanted.size
