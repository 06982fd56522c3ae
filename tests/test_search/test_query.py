"""Ranking by hand: order, ties, fewer candidates than asked for, blocks."""

import numpy as np
import pytest

from osdpm_plugin.evaluation.pairwise_scores import PairScorer
from osdpm_plugin.search import query
from osdpm_plugin.search.encoder import Vector
from osdpm_plugin.search.index import ImageIndex
from osdpm_plugin.search.query import Match, rank, rank_alike, rank_images, rank_texts


def index_of(rows, items=None):
    """An index of images named a, b, c ... at positions ``items``."""
    embedding = np.array(rows, dtype=np.float32)
    names = tuple('abcdefgh'[: len(rows)])
    items = np.arange(len(rows)) if items is None else np.array(items)
    return ImageIndex(names, items, embedding, None, (), 'key')


def texts_of(*rows):
    return [Vector(np.array(row, dtype=np.float32)) for row in rows]


def test_rank_by_hand():
    scores = np.array([[0.5, 2.0, 0.5, -1.0]], dtype=np.float32)
    want = [Match(1, 2.0, 3, 'b'), Match(2, 0.5, 0, 'a'), Match(3, 0.5, 5, 'c'), Match(4, -1.0, 9, 'd')]
    items = np.array([0, 3, 5, 9])
    assert rank(1, scores.__getitem__, items, 'abcd', 9) == [want], 'all of four'
    assert rank(1, scores.__getitem__, items, 'abcd', 2) == [want[:2]], 'of equal scores the first given'


def test_many_ties_keep_the_order_given():
    scores = np.tile(np.array([0.5, 0.25], dtype=np.float32), 500)[None]
    (found,) = rank(1, scores.__getitem__, np.arange(1000), range(1000), 1000)
    assert [m.item for m in found] == [*range(0, 1000, 2), *range(1, 1000, 2)]


def test_images_by_hand():
    gallery = index_of([[1, 0], [0, 1], [0.6, 0.8]], items=[4, 5, 8])
    found = rank_images(gallery, texts_of([1, 0], [0, 2]), None, 2)
    assert found[0] == [Match(1, 1.0, 4, 'a'), Match(2, pytest.approx(0.6), 8, 'c')]
    assert found[1] == [Match(1, 2.0, 5, 'b'), Match(2, pytest.approx(1.6), 8, 'c')]


def test_texts_by_hand():
    found = rank_texts(index_of([[1, 0], [0, 1]]), ['x', 'y', 'z'], texts_of([1, 0], [0.6, 0.8], [1, 0]), None, 9)
    assert [[(m.answer, m.item) for m in matches] for matches in found] == [
        [('x', 0), ('z', 2), ('y', 1)],
        [('y', 1), ('x', 0), ('z', 2)],
    ]


def test_images_alike_do_not_depend_on_length():
    gallery = index_of([[10, 0], [0.1, 0.1], [0, 0]])
    (found,) = rank_alike(index_of([[2, 2]]), gallery, 3)
    assert [(m.answer, m.score) for m in found] == [('b', pytest.approx(1)), ('a', pytest.approx(0.5**0.5)), ('c', 0.0)]


def test_blocks_change_no_bit(monkeypatch):
    draw = np.random.default_rng(0)
    gallery, queries = index_of(draw.normal(size=(8, 5))), texts_of(*draw.normal(size=(7, 5)))
    images = index_of(draw.normal(size=(6, 5)))
    names = [str(i) for i in range(7)]

    def every():
        return (
            rank_images(gallery, queries, None, 8),
            rank_texts(images, names, queries, None, 7),
            rank_alike(images, gallery, 8),
        )

    want = every()
    monkeypatch.setattr(query, '_IMAGES_AT_A_TIME', 3)
    monkeypatch.setattr(query, '_QUERIES_AT_A_TIME', 2)
    assert every() == want


def test_pairs_are_scored_by_the_similarity():
    """Region times word, where both are numbers: the greatest product of each pair."""

    def similarity(images, texts):
        products = images.regions[:, None, :, None, 0] * texts.words[None, :, None, :, 0]
        return products.masked_fill(~texts.mask[None, :, None], -9).amax(dim=(2, 3))

    gallery = index_of([[0], [0]])._replace(regions=np.array([[[1], [3]], [[2], [2]]], dtype=np.float32))
    texts = [Vector(np.zeros(1, np.float32), np.array(w, np.float32)[:, None]) for w in ([1, 2], [-1])]
    scorer = PairScorer(similarity, 'cpu', (4, 2))
    found = rank_images(gallery, texts, scorer, 2)
    assert [[(m.answer, m.score) for m in matches] for matches in found] == [
        [('a', 6.0), ('b', 4.0)],
        [('a', -1.0), ('b', -2.0)],
    ]
    found = rank_texts(gallery, ['two', 'minus'], texts, scorer, 1)
    assert [(m[0].answer, m[0].score) for m in found] == [('two', 6.0), ('two', 4.0)]
