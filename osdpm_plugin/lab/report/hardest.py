"""Queries that a model answers worst: by the hits that a run keeps, and by ranks where a split was embedded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from ...errors import DataError
from ...evaluation.embedded_split import EmbeddedSplit
from ...visualization.answers import Query, Retrieval, retrieve
from ...visualization.images import ImageReader
from ..experiments.queries import QueryHits, read_queries
from .blocks import Block, Card, Cards, Details, Heading, Missing, Section, Table, Text, count
from .pictures import embed_array, evaluate_command
from .work_dirs import Experiment

THUMBNAIL = 200  # pixels, the wider edge
MOST_BY_HITS = 20  # rows of a table
_IDS = ('topk', 'image_ids', 'caption_ids')


class Misses(NamedTuple):
    """Queries of one direction over all seeds of an experiment.

    Attributes:
        ids: (Q,) int64, ascending.
        hits: (Q, K) float64, hit probability at each K, mean over seeds.
        never: (Q,) bool, no chance of a hit at the largest K under any seed.
    """

    ids: np.ndarray
    hits: np.ndarray
    never: np.ndarray

    def worst(self, most: int) -> np.ndarray:
        """Positions of the queries with the fewest hits over all K; of equal ones the lower id first."""
        return np.argsort(self.hits.sum(axis=1), kind='stable')[:most]


def hardest_section(experiments: Sequence[Experiment], evaluated: Sequence[Block] = ()) -> Section:
    """What the runs kept, and the blocks of `hardest_blocks` that were evaluated for the page."""
    blocks: list[Block] = list(evaluated)
    rows: list[tuple[str, ...]] = []
    kept: list[Block] = []
    for one in experiments:
        if one.evaluated:
            more, tables = _kept(one)
            rows += more
            kept += tables
    if rows:
        head = ('config', 'direction', 'ties', 'seeds', 'queries', 'never right', 'percent', 'among the first')
        caption = 'Queries without a right answer among the first K under any seed'
        blocks.append(Table(caption, head, tuple(rows), texts=3))
    blocks += kept
    if not evaluated:
        text = (
            'Work dirs keep hits by id, no ranks and no texts; captions and images of the hardest queries are shown '
            'once the split has been embedded again.'
        )
        blocks.append(Missing(text, evaluate_command(experiments)))
    return Section('hardest', 'Hardest queries', tuple(blocks))


def misses_of(files: Sequence[QueryHits]) -> tuple[Misses, Misses]:
    """Image to text, and text to image, of the seeds of one experiment on the same queries; at least one."""

    def way(ids: np.ndarray, hits: np.ndarray) -> Misses:  # hits: (S, Q, K)
        return Misses(ids, hits.mean(axis=0, dtype=np.float64), np.asarray((hits[:, :, -1] <= 0).all(axis=0)))

    i2t, t2i = np.stack([one.i2t_hits for one in files]), np.stack([one.t2i_hits for one in files])
    return way(files[0].image_ids, i2t), way(files[0].caption_ids, t2i)


def hardest_blocks(
    name: str, split: EmbeddedSplit, read: ImageReader, *, queries: int = 6, seed_label: str = ''
) -> Iterator[Block]:
    """The ``queries`` of each direction with the worst ranks, of a split as the run ``seed_label`` embeds it.

    Raises:
        DataError: an image cannot be read.
        MetricError: ids or embeddings of the split contradict each other.
    """
    total = max(len(split.image_ids), len(split.caption_ids))
    found = retrieve(split, queries=total, topk=1)
    yield Heading(f'{name}{", " + seed_label if seed_label else ""}')
    for title, way, ids, card in (
        ('Text to image', found.t2i, split.caption_ids, _caption_card),
        ('Image to text', found.i2t, split.image_ids, _image_card),
    ):
        worst = worst_ranks(way, ids, queries)
        yield Text(
            f'{title}: {len(worst)} of {way.total} queries, those whose first right answer comes latest; of equal '
            'scores the lower id comes first.'
        )
        yield Cards(tuple(card(query, split, read) for query in worst))


def worst_ranks(way: Retrieval, ids: np.ndarray, most: int) -> list[Query]:
    """Queries by the rank of their first right answer, worst first; of equal ranks the lower of ``ids`` (Q,) first."""
    return sorted(way.queries, key=lambda query: (-query.rank_of_right, int(ids[query.item])))[:most]


def _caption_card(query: Query, split: EmbeddedSplit, read: ImageReader) -> Card:
    own = int(np.flatnonzero(split.image_ids == split.caption_image_ids[query.item])[0])
    answer = query.answers[0]
    shown = {own: 'Its own image'} if answer.right else {own: 'Its own image', answer.item: 'Ranked first'}
    pictures = tuple(
        embed_array(read(split.image_paths[i]), alt=f'{label}: {_file(split, i)}', caption=label, widest=THUMBNAIL)
        for i, label in shown.items()
    )
    note = f'Caption {split.caption_ids[query.item]} of {_file(split, own)}; first came {_file(split, answer.item)}.'
    return Card(f'Right image at rank {query.rank_of_right}', split.captions[query.item], pictures, (note,))


def _image_card(query: Query, split: EmbeddedSplit, read: ImageReader) -> Card:
    own = np.flatnonzero(split.caption_image_ids == split.image_ids[query.item])
    name = _file(split, query.item)
    picture = embed_array(
        read(split.image_paths[query.item]), alt=f'Query image {name}', caption=name, widest=THUMBNAIL
    )
    first, right = split.captions[query.answers[0].item], split.captions[int(own[0])]
    notes = f'Ranked first: {first}', f'A right one: {right}'
    return Card(f'First right caption at rank {query.rank_of_right}', '', (picture,), notes)


def _file(split: EmbeddedSplit, item: int) -> str:
    return split.image_paths[item].replace('\\', '/').rpartition('/')[2]


def _kept(one: Experiment) -> tuple[list[tuple[str, ...]], list[Block]]:
    """What the per-query files of an experiment say: rows of the table over all, and blocks of its own."""
    try:
        files = [read_queries(path.parent / result.queries_file) for path, result in one.results]
        if not all(np.array_equal(getattr(file, key), getattr(files[0], key)) for file in files for key in _IDS):
            raise DataError(f'the runs of {one.name} have other queries than each other; evaluate them again')
    except DataError as error:
        return [], [Missing(f'{error}.')]
    topk, ties, seeds = files[0].topk, files[0].ties, len(files)
    rows: list[tuple[str, ...]] = []
    blocks: list[Block] = []
    for title, noun, way in zip(('image to text', 'text to image'), ('image', 'caption'), misses_of(files)):
        never, total = int(way.never.sum()), len(way.ids)
        share = f'{100 * never / total:.1f}'
        rows.append((one.name, title, ties, str(seeds), str(total), str(never), share, str(topk[-1])))
        worst = way.worst(MOST_BY_HITS)
        table = Table(
            f'{one.name}, {title}: probability of a hit, mean over {count(seeds, "seed")}',
            (f'{noun} id', *(f'hit at {k}' for k in topk)),
            tuple((str(way.ids[i]), *(f'{value:.3f}' for value in way.hits[i])) for i in worst),
        )
        blocks.append(Details(f'{one.name}, {title}: the {len(worst)} queries with the fewest hits', (table,)))
    return rows, blocks
