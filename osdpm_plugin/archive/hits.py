"""Rows of a store -> hits: ranked places, without those that show what a better one shows."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Callable, Iterator, NamedTuple, Optional, Sequence

import numpy as np
import pyarrow as pa
import shapely
from shapely.geometry.base import BaseGeometry

from .places import centre_of
from .schema import BOUNDS, GEOMETRY, WINDOW


class Hit(NamedTuple):
    """A tile that answers a query.

    Attributes:
        rank: from 1.
        score: cosine of query and tile.
        tile: its id, for ``like``.
        scene: id of its scene.
        source: file or address of the scene.
        window: row, column, height, width in pixels of the scene.
        lon: degrees of its middle; None without georeference.
        lat: degrees of its middle; None without georeference.
        bounds: west, south, east, north in degrees, west > east across the antimeridian; None without georeference.
        footprint: shapely geometry in EPSG:4326; None without georeference.
        datetime: of acquisition, in UTC; None if unknown.
        gsd: metres a pixel; None without georeference.
        nodata: share of pixels without data.
        attributes: of the scene.
    """

    rank: int
    score: float
    tile: str
    scene: str
    source: str
    window: tuple[int, int, int, int]
    lon: Optional[float]
    lat: Optional[float]
    bounds: Optional[tuple[float, float, float, float]]
    footprint: Optional[BaseGeometry]
    datetime: Optional[datetime]
    gsd: Optional[float]
    nodata: float
    attributes: dict[str, str]


class Hits(list):
    """Hits of one query, best first.

    Attributes:
        query: the query in words.
        exact: whether no better tile was left out.
    """

    def __init__(self, hits: Sequence[Hit] = (), *, query: str = '', exact: bool = True) -> None:
        super().__init__(hits)
        self.query, self.exact = query, exact

    def to_geodataframe(self) -> Any:
        """A geopandas ``GeoDataFrame`` in EPSG:4326 with one row a hit; geometry is None without georeference."""
        from .outputs.frame import to_geodataframe

        return to_geodataframe(self)


def read_hits(rows: pa.Table, scores: np.ndarray) -> Iterator[Hit]:
    """Rows of a store, best first -> hits, whose ranks are still 0."""
    columns = {name: rows.column(name).to_pylist() for name in rows.column_names}
    for i, score in enumerate(scores):
        box, footprint = columns['bbox'][i], columns[GEOMETRY][i]
        bounds = None if box is None else tuple(box[side] for side in BOUNDS)
        lon, lat = centre_of(bounds) or (None, None)
        yield Hit(
            rank=0,
            score=float(score),
            tile=columns['tile'][i],
            scene=columns['scene'][i],
            source=columns['source'][i],
            window=tuple(columns[name][i] for name in WINDOW),  # type: ignore[arg-type]
            lon=lon,
            lat=lat,
            bounds=bounds,  # type: ignore[arg-type]
            footprint=None if footprint is None else shapely.from_wkb(footprint),
            datetime=columns['datetime'][i],
            gsd=columns['gsd'][i],
            nodata=columns['nodata'][i],
            attributes=dict(pair.split('=', 1) for pair in columns['attributes'][i]),
        )


def choose(
    found: Iterator[Hit],
    *,
    topk: int,
    min_score: Optional[float],
    overlap: float,
    by_scene: bool,
    keep: Callable[[Hit], bool],
) -> tuple[list[Hit], bool]:
    """The best hits that do not repeat each other.

    Args:
        found: hits, best first.
        topk: number of hits.
        min_score: least score; None: any.
        overlap: share of the smaller tile, 0 to 1, above which two tiles of a scene show the same.
        by_scene: the best hit of each scene alone.
        keep: what else a hit must be.

    Returns:
        The hits with their ranks, and whether no further row could change them.
    """
    chosen: list[Hit] = []
    of_scene: dict[str, list[Hit]] = {}
    for hit in found:
        if min_score is not None and hit.score < min_score:
            return chosen, True
        others = of_scene.setdefault(hit.scene, [])
        if (by_scene and others) or any(shared(hit.window, other.window) > overlap for other in others):
            continue
        if not keep(hit):
            continue
        hit = hit._replace(rank=len(chosen) + 1)
        others.append(hit)
        chosen.append(hit)
        if len(chosen) == topk:
            return chosen, True
    return chosen, False


def shared(a: Sequence[int], b: Sequence[int]) -> float:
    """Share of the smaller of two windows that both have, 0 to 1."""
    (top, left, height, width), (other_top, other_left, other_height, other_width) = a, b
    down = min(top + height, other_top + other_height) - max(top, other_top)
    across = min(left + width, other_left + other_width) - max(left, other_left)
    return max(0, down) * max(0, across) / min(height * width, other_height * other_width)
