"""Which of the found tiles are hits: those that repeat a better one are left out, and nothing is filled up."""

from __future__ import annotations

import numpy as np
import pytest

from osdpm_plugin.archive.hits import Hit, choose, read_hits, shared
from tests.helpers.store_conformance import rows


def hit(score: float, window: tuple[int, int, int, int], scene: str = 'a') -> Hit:
    place = dict(source=f'/{scene}.tif', lon=None, lat=None, bounds=None, footprint=None)
    return Hit(
        rank=0,
        score=score,
        tile=f'{scene}/{window}',
        scene=scene,
        window=window,
        **place,
        datetime=None,
        gsd=None,
        nodata=0.0,
        attributes={},
    )


def chosen(found: list[Hit], **options) -> tuple[list[tuple[int, float]], bool]:
    """Ranks and scores, and whether more rows could change nothing."""
    settings = dict(topk=10, min_score=None, overlap=0.2, by_scene=False, keep=lambda hit: True)
    hits, complete = choose(iter(found), **{**settings, **options})
    return [(hit.rank, hit.score) for hit in hits], complete


@pytest.mark.parametrize(
    ('a', 'b', 'share'),
    [
        ((0, 0, 16, 16), (0, 0, 16, 16), 1.0),
        ((0, 0, 16, 16), (0, 8, 16, 16), 0.5),
        ((0, 0, 16, 16), (8, 8, 16, 16), 0.25),
        ((0, 0, 16, 16), (0, 16, 16, 16), 0.0),
        ((0, 0, 16, 16), (40, 40, 16, 16), 0.0),
        ((0, 0, 32, 32), (8, 8, 8, 8), 1.0),  # of the smaller one
        ((0, 0, 32, 32), (28, 24, 16, 16), 4 * 8 / 256),
    ],
)
def test_share_of_the_smaller_window(a, b, share):
    assert shared(a, b) == shared(b, a) == share


def test_tiles_that_overlap_a_better_one_are_left_out():
    """All neighbours of the best tile go, those two strides away stay; another scene at the same pixels stays."""
    found = [
        hit(0.9, (16, 16, 16, 16)),
        hit(0.8, (24, 24, 16, 16)),  # a quarter of it
        hit(0.7, (16, 8, 16, 16)),
        hit(0.6, (16, 32, 16, 16)),  # beside the first; it overlaps the second, which is no hit
        hit(0.5, (16, 16, 16, 16), 'b'),
        hit(0.4, (0, 0, 16, 16)),
    ]
    assert chosen(found) == ([(1, 0.9), (2, 0.6), (3, 0.5), (4, 0.4)], False)
    scores = [score for _, score in chosen(found, overlap=0.25)[0]]
    assert scores == [0.9, 0.8, 0.6, 0.5, 0.4]  # the share itself may be
    assert chosen(found, overlap=1)[0] == [(i + 1, found[i].score) for i in range(6)]
    assert [score for _, score in chosen(found, overlap=0)[0]] == [0.9, 0.6, 0.5, 0.4]


def test_one_hit_a_scene():
    found = [hit(0.9, (0, 0, 8, 8)), hit(0.8, (80, 0, 8, 8)), hit(0.7, (0, 0, 8, 8), 'b')]
    assert chosen(found, by_scene=True) == ([(1, 0.9), (2, 0.7)], False)
    # the best tile of a scene that is kept, not the best tile
    assert chosen(found, by_scene=True, keep=lambda hit: hit.score < 0.9)[0] == [(1, 0.8), (2, 0.7)]


def test_least_score_leaves_places_empty():
    """Rows are sorted, so that nothing behind a score that is too low is looked at."""
    found = [hit(0.9, (0, 0, 8, 8)), hit(0.8, (80, 0, 8, 8)), hit(0.5, (160, 0, 8, 8))]
    assert chosen(found, min_score=0.8) == ([(1, 0.9), (2, 0.8)], True)
    assert chosen(found, min_score=0.95) == ([], True)
    assert chosen(found, min_score=-1.0) == ([(1, 0.9), (2, 0.8), (3, 0.5)], False)
    assert chosen(found, topk=2) == ([(1, 0.9), (2, 0.8)], True)
    assert chosen([]) == ([], False)


def test_a_tile_that_is_not_kept_suppresses_nothing():
    found = [hit(0.9, (0, 0, 16, 16)), hit(0.8, (0, 4, 16, 16))]
    assert chosen(found, keep=lambda hit: hit.score < 0.9) == ([(1, 0.8)], False)


def test_rows_become_hits():
    """Without place everything about it is None; across the antimeridian the middle lies on it."""
    table = rows(4, scenes=4)
    plain, across, third, _ = read_hits(table, np.array([0.5, 0.25, 0.125, 0], np.float32))
    assert (plain.lon, plain.lat, plain.bounds, plain.footprint, plain.gsd, plain.datetime) == (None,) * 6
    assert plain.score == 0.5 and plain.attributes == dict(sensor='GF-2', number='0')
    assert across.bounds[0] > across.bounds[2] and abs(across.lon) == pytest.approx(180)
    assert across.lat == pytest.approx(-10 + 0.0015) and across.gsd == 0.5
    assert third.lon == pytest.approx(-70 + 0.0025) and third.footprint.geom_type == 'Polygon'
    assert third.window == (0, 0, 16, 16) and third.tile == 'scene2/0_0_16x16' and third.datetime.year == 2024
