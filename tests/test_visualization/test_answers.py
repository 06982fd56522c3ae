"""Queries with ranked answers: worked by hand, and against the evaluation."""

import numpy as np
import pytest
import torch

from osdpm_plugin.errors import ConfigError, MetricError
from osdpm_plugin.evaluation import ranks_from_embeddings, recall_at, score_matrix
from osdpm_plugin.visualization import retrieve
from tests.helpers.embedded_splits import at_random, by_hand

# query id -> answer ids, best first (equal scores: lower id first), their scores, rank of the first right answer
T2I = {
    5: ([30, 10, 20], [0.8, 0.6, 0.0], 1),
    4: ([20, 30, 10], [0.8, 0.6, 0.0], 3),
    3: ([20, 10, 30], [1.0, 0.0, 0.0], 1),
    2: ([10, 20, 30], [0.8, 0.6, 0.0], 2),
}
I2T = {
    30: ([5, 4, 2, 3], [0.8, 0.6, 0.0, 0.0], 1),
    10: ([2, 5, 3, 4], [0.8, 0.6, 0.0, 0.0], 4),
    20: ([3, 4, 2, 5], [1.0, 0.8, 0.6, 0.0], 1),
}
OWNER = {5: 30, 4: 10, 3: 20, 2: 20}


def check_by_hand(way, query_ids, answer_ids, expected, topk, is_right):
    assert {int(query_ids[q.item]) for q in way.queries} <= set(expected)
    for query in way.queries:
        ids, scores, first = expected[int(query_ids[query.item])]
        assert query.rank_of_right == first
        assert [int(answer_ids[a.item]) for a in query.answers] == ids[:topk]
        assert [a.rank for a in query.answers] == list(range(1, min(topk, len(ids)) + 1))
        assert [a.score for a in query.answers] == pytest.approx(scores[:topk], abs=1e-7)
        right = [is_right(int(query_ids[query.item]), i) for i in ids[:topk]]
        assert [a.right for a in query.answers] == right


@pytest.mark.parametrize('topk', [1, 2, 50])
def test_by_hand(topk):
    split = by_hand()
    found = retrieve(split, queries=9, topk=topk)
    assert (len(found.t2i.queries), len(found.i2t.queries)) == (4, 3)
    check_by_hand(found.t2i, split.caption_ids, split.image_ids, T2I, topk, lambda c, i: OWNER[c] == i)
    check_by_hand(found.i2t, split.image_ids, split.caption_ids, I2T, topk, lambda i, c: OWNER[c] == i)
    assert found.t2i.recall[1] == 50 and found.i2t.recall[1] == pytest.approx(200 / 3)


def test_misses_are_drawn_and_nothing_else():
    split = by_hand()
    found = retrieve(split, queries=9, only_misses=True)
    assert {int(split.caption_ids[q.item]) for q in found.t2i.queries} == {4, 2}
    assert {int(split.image_ids[q.item]) for q in found.i2t.queries} == {10}
    assert (found.t2i.drawn_from, found.t2i.total, found.i2t.drawn_from, found.i2t.total) == (2, 4, 1, 3)


def test_no_misses():
    split = by_hand()
    split = split._replace(text_embed=split.image_embed[[0, 1, 2, 2]])
    found = retrieve(split, only_misses=True)
    assert found.t2i.queries == found.i2t.queries == () and found.t2i.recall[1] == 100


@pytest.mark.parametrize('coarse', [False, True])
def test_ranks_and_scores_are_those_of_the_evaluation(coarse):
    split = at_random(3, coarse=coarse)
    embed = torch.from_numpy(split.image_embed), torch.from_numpy(split.text_embed)
    ranks = ranks_from_embeddings(*embed, split.image_ids, split.caption_image_ids)
    scores = score_matrix(*embed).numpy()
    found = retrieve(split, queries=1000, topk=1000)
    for way, expected, score in ((found.t2i, ranks.t2i, scores.T), (found.i2t, ranks.i2t, scores)):
        assert sorted(q.item for q in way.queries) == list(range(len(score)))
        assert (expected.tied > expected.pos).any() == coarse
        for query in way.queries:
            above, tied, pos = (int(part[query.item]) for part in expected)
            assert above < query.rank_of_right <= above + tied - pos + 1
            assert next(a.rank for a in query.answers if a.right) == query.rank_of_right
            assert [a.score for a in query.answers] == [float(score[query.item, a.item]) for a in query.answers]
            assert sorted((a.score for a in query.answers), reverse=True) == [a.score for a in query.answers]
        if not coarse:
            assert way.recall == {k: recall_at(expected, k) for k in (1, 5, 10)}
            assert 100 * np.mean([q.rank_of_right <= 5 for q in way.queries]) == pytest.approx(way.recall[5])


def test_the_draw_depends_on_ids_and_seed_alone():
    split = at_random(1)
    mixed = np.random.default_rng(0).permutation(len(split.caption_ids))
    shuffled = split._replace(
        caption_ids=split.caption_ids[mixed],
        caption_image_ids=split.caption_image_ids[mixed],
        captions=tuple(split.captions[i] for i in mixed),
        text_embed=split.text_embed[mixed],
    )

    def drawn(of, seed):
        return [int(of.caption_ids[q.item]) for q in retrieve(of, queries=6, seed=seed).t2i.queries]

    assert drawn(split, 0) == drawn(shuffled, 0) != drawn(split, 1)


@pytest.mark.parametrize(
    ('key', 'value'), [('queries', 0), ('topk', 0), ('topk', 2.5), ('seed', -1), ('queries', True)]
)
def test_numbers_out_of_range(key, value):
    with pytest.raises(ConfigError, match=f'{key} must be a whole number of at least'):
        retrieve(by_hand(), **{key: value})


def test_embeddings_that_are_not_finite():
    split = by_hand()
    split.text_embed[1] = np.nan
    with pytest.raises(MetricError, match='1 of 4 caption embeddings are NaN or infinite, the first of caption id 4'):
        retrieve(split)
