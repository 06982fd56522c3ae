"""Questions with the places that answer them -> how often a search finds these places."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Mapping, NamedTuple, Optional, Sequence

import numpy as np
import shapely
from scipy.stats import binomtest
from shapely.geometry.base import BaseGeometry

from ..errors import ConfigError, DataError
from ..utils.checks import check_int
from .archive import Archive
from .filters import Bounds
from .hits import Hit, shared
from .place_table import Place, Row
from .questions import Question
from .records import SceneRecord
from .scene_names import find_scene

LEAST_SHARED = 0.5  # of the smaller of a hit and a box
CONFIDENCE = 0.95
TOPK = (1, 5, 10)


class PlaceQuery(NamedTuple):
    """A question and where its answers are.

    Attributes:
        text: in words.
        places: P right places, whose scenes are ids.
        start: first moment that is searched; None: any.
        end: last moment; None: any.
        scenes: ids of the scenes that are searched; empty: all.
    """

    text: str
    places: tuple[Place, ...]
    start: Optional[datetime] = None
    end: Optional[datetime] = None
    scenes: tuple[str, ...] = ()


class Share(NamedTuple):
    """A share, 0 to 1, with its Wilson 95 % interval."""

    value: float
    low: float
    high: float


@dataclass
class PlaceResults:
    """What a search has found of Q queries.

    Attributes:
        queries: the queries.
        ranks: for each query and each of its places the rank of the first hit there; None: not among the hits.
        topk: numbers of hits that are counted, ascending; the last is the number of hits that were asked for.
    """

    queries: list[PlaceQuery]
    ranks: list[list[Optional[int]]]
    topk: tuple[int, ...]

    @property
    def first_ranks(self) -> list[Optional[int]]:
        """For each query the rank of its first right hit."""
        return [min((rank for rank in ranks if rank), default=None) for ranks in self.ranks]

    def hit(self, k: int) -> Share:
        """hit@k: share of the queries with a right place among the first k hits."""
        count = sum(rank is not None and rank <= k for rank in self.first_ranks)
        interval = binomtest(count, len(self.queries)).proportion_ci(CONFIDENCE, method='wilson')
        return Share(count / len(self.queries), float(interval.low), float(interval.high))

    def recall(self, k: int) -> float:
        """Share of all places that are among the first k hits of their query."""
        ranks = [rank for ranks in self.ranks for rank in ranks]
        return sum(rank is not None and rank <= k for rank in ranks) / len(ranks)

    @property
    def median_rank(self) -> Optional[float]:
        """Median over queries of the rank of the first right hit; None where it is beyond the hits."""
        median = float(np.median([np.inf if rank is None else rank for rank in self.first_ranks]))
        return median if np.isfinite(median) else None

    def to_json(self) -> dict[str, Any]:
        """All numbers as plain values."""
        return dict(
            queries=len(self.queries),
            places=sum(map(len, self.ranks)),
            hit={str(k): self.hit(k)._asdict() for k in self.topk},
            recall={str(k): self.recall(k) for k in self.topk},
            median_rank=self.median_rank,
            each=[dict(text=query.text, ranks=ranks) for query, ranks in zip(self.queries, self.ranks)],
        )

    def table(self) -> str:
        """The numbers in lines."""
        lines = [f'{"k":>5}  {"hit@k %":>8}  {"95 % interval":>15}  {"recall of places %":>18}']
        for k in self.topk:
            value, low, high = (100 * share for share in self.hit(k))
            lines.append(f'{k:5d}  {value:8.1f}  {f"{low:.1f} to {high:.1f}":>15}  {100 * self.recall(k):18.1f}')
        median = f'beyond {self.topk[-1]}' if self.median_rank is None else f'{self.median_rank:g}'
        lines.append(f'median rank of the first right hit: {median}')
        return '\n'.join(lines)


def group_rows(rows: Sequence[Row], records: Mapping[str, SceneRecord], path: str) -> list[PlaceQuery]:
    """Lines of a table -> queries, in the order of their first lines: lines of one text and search belong together.

    Args:
        rows: see `read_table`.
        records: of the archive, by id.
        path: of the table, for messages.

    Raises:
        DataError: a scene is not in the archive.
    """
    groups: dict[tuple, list[Place]] = {}
    for row in rows:
        assert row.text is not None
        try:
            place, column = row.place, 'scene'
            if place.scene is not None:
                place = place._replace(scene=find_scene(records, place.scene))
            column = 'scenes'
            scenes = tuple(sorted(find_scene(records, name) for name in row.scenes))
        except ConfigError as error:
            raise DataError(f'{path}, line {row.line}, column {column}: {error}') from error
        groups.setdefault((row.text, row.start, row.end, scenes), []).append(place)
    return [PlaceQuery(text, tuple(places), *search) for (text, *search), places in groups.items()]


def evaluate(
    archive: Archive, queries: Sequence[PlaceQuery], topk: Sequence[int] = TOPK, **options: Any
) -> PlaceResults:
    """Ask all queries, and look for their places among the hits.

    Args:
        archive: that is asked.
        queries: with their places.
        topk: numbers of hits that are counted.
        **options: of `Archive.search_many`.

    Raises:
        ConfigError: as `Archive.search_many`.
        DataError: there are no queries.
    """
    if not queries:
        raise DataError('there are no queries; write one a line')
    topk = tuple(sorted({check_int('', 'topk', k) for k in topk}))
    alike: dict[tuple, list[int]] = {}
    for number, query in enumerate(queries):
        alike.setdefault((query.start, query.end, query.scenes), []).append(number)
    ranks: dict[int, list[Optional[int]]] = {}
    for (start, end, scenes), numbers in alike.items():
        questions = [Question(queries[number].text) for number in numbers]
        search = dict(start=start, end=end, scenes=list(scenes) or None, topk=topk[-1])
        for number, hits in zip(numbers, archive.search_many(questions, **{**options, **search})):
            ranks[number] = [first_rank(hits, place) for place in queries[number].places]
    return PlaceResults(list(queries), [ranks[number] for number in range(len(queries))], topk)


def first_rank(hits: Sequence[Hit], place: Place) -> Optional[int]:
    """Rank of the first hit at a place; None if there is none."""
    return next((hit.rank for hit in hits if is_right(hit, place)), None)


def is_right(hit: Hit, place: Place) -> bool:
    """Whether a hit shows a place.

    Its footprint contains the point, edges included; or it and the box share at least half of the smaller of both, by
    areas in degrees, whose ratio is that of areas on the ground where boxes are small; or so do their pixels. Where the
    place names a scene, the hit must be of it.
    """
    if place.scene is not None and hit.scene != place.scene:
        return False
    if place.window is not None:
        return shared(hit.window, place.window) >= LEAST_SHARED
    if hit.footprint is None:
        return False
    if place.point is not None:
        lon, lat = place.point
        sides = (-180.0, 180.0) if abs(lon) == 180 else (lon,)
        return any(hit.footprint.covers(shapely.Point(side, lat)) for side in sides)
    assert place.bounds is not None
    box = area_of(place.bounds)
    return bool(hit.footprint.intersection(box).area >= LEAST_SHARED * min(hit.footprint.area, box.area))


def area_of(bounds: Bounds) -> BaseGeometry:
    """West, south, east, north -> geometry in EPSG:4326, in two parts where west > east crosses the antimeridian."""
    west, south, east, north = bounds
    if west <= east:
        return shapely.box(west, south, east, north)
    return shapely.MultiPolygon([shapely.box(west, south, 180, north), shapely.box(-180, south, east, north)])
