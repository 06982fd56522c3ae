"""Re-ranking: hand-worked matrices, ties kept, labelled as transductive."""

from __future__ import annotations

import math

import numpy as np
import pytest

from osdpm_plugin.errors import ConfigError, MetricError
from osdpm_plugin.evaluation import ImageTextRecall, ranks_from_scores, recall_at
from osdpm_plugin.evaluation.reranking import RERANKERS, dual_softmax, inverted_softmax, multivariate_rerank
from tests.helpers.predictions import make_samples


def test_softmaxes_by_hand():
    """exp(s / t) = [[4, 2], [1, 2]]: columns sum to 5 and 4, rows to 6 and 3."""
    scores = 0.5 * np.log([[4.0, 2.0], [1.0, 2.0]])
    i2t, t2i = inverted_softmax(scores, temperature=0.5)
    assert np.exp(i2t) == pytest.approx(np.array([[4 / 5, 2 / 4], [1 / 5, 2 / 4]]), abs=1e-15)
    assert np.exp(t2i) == pytest.approx(np.array([[4 / 6, 2 / 6], [1 / 3, 2 / 3]]), abs=1e-15)
    i2t, t2i = dual_softmax(scores, temperature=0.5)
    assert i2t == pytest.approx(scores * np.array([[4 / 5, 2 / 4], [1 / 5, 2 / 4]]), abs=1e-15)
    assert t2i == pytest.approx(scores * np.array([[4 / 6, 2 / 6], [1 / 3, 2 / 3]]), abs=1e-15)


@pytest.mark.parametrize('method', ['inverted_softmax', 'dual_softmax', 'multivariate'])
def test_a_hub_loses(method):
    """Image 0 is the first of all three captions; re-ranking gives captions 1 and 2 their own."""
    scores = np.array([[0.90, 0.51, 0.51], [0.10, 0.50, 0.20], [0.10, 0.20, 0.50]])
    plain = ranks_from_scores(scores, range(3), range(3))
    assert recall_at(plain.t2i, 1) == pytest.approx(100 / 3)
    _, t2i = RERANKERS[method](scores)
    assert recall_at(ranks_from_scores(t2i, range(3), range(3)).t2i, 1) == 100


def test_multivariate_by_hand():
    """Two candidates for each image; the terms are written out: share of the column or row, rank, reverse position."""
    scores = np.array([[0.9, 0.5, 0.1], [1.0, 0.2, 0.3]])
    i2t, t2i = multivariate_rerank(scores, num_candidates=2)
    d = math.exp(-0.05)
    # image 0: caption 0 is 1st and ranks it 2nd, caption 1 is 2nd and ranks it 1st: positions 2 and 1
    second = 0.3 * 0.5 / 0.7 + d**2 + 1.1 * d
    first = 0.3 * 0.9 / 1.9 + d + 1.1 * d**2
    assert i2t[0].tolist() == pytest.approx([first, second, min(first, second) - 2], abs=1e-12)
    # image 1: captions 0 and 2 rank it 1st, so the better one keeps position 1
    last = 0.3 * 0.3 / 0.4 + d**2 + 1.1 * d**2
    assert i2t[1].tolist() == pytest.approx([0.3 * 1.0 / 1.9 + d + 1.1 * d, last - 2, last], abs=1e-12)
    # caption 0: image 1 is 1st, image 0 is 2nd, both rank it 1st; rows sum to 1.5 and 1.5
    assert t2i[:, 0].tolist() == pytest.approx(
        [0.3 * 0.9 / 1.5 + d**2 + 1.1 * d**2, 0.3 * 1.0 / 1.5 + d + 1.1 * d], abs=1e-12
    )


def multivariate_in_loops(scores, k):
    """One direction of the rule, query by query, for scores without ties; candidates only."""
    found = {}
    for q, row in enumerate(scores):
        candidates = sorted(range(len(row)), key=lambda c: -row[c])[:k]
        seen_from = {c: sum(other > row[c] for other in scores[:, c]) for c in candidates}
        in_return = sorted(candidates, key=seen_from.get)  # stable: equals stay in the order of the query
        for rank, c in enumerate(candidates, start=1):
            terms = (row[c] / sum(scores[:, c]), math.exp(-rank / 20), math.exp(-(in_return.index(c) + 1) / 20))
            found[q, c] = 0.3 * terms[0] + terms[1] + 1.1 * terms[2]
    return found


@pytest.mark.parametrize('k', [3, 30])
def test_multivariate_equals_loops(k):
    scores = np.random.default_rng(3).uniform(0.1, 0.9, (40, 60))
    i2t, t2i = multivariate_rerank(scores, num_candidates=k)
    for result, one in ((i2t, scores), (t2i.T, scores.T)):
        for (q, c), value in multivariate_in_loops(one, k).items():
            assert result[q, c] == pytest.approx(value, abs=1e-12)


def test_scores_that_sum_to_zero_have_no_share():
    i2t, _ = multivariate_rerank(np.array([[0.5, 0.2], [-0.5, 0.6]]))
    d = math.exp(-0.05)
    assert i2t[0, 0] == pytest.approx(d + 1.1 * d, abs=1e-12)


def test_candidates_beyond_k_keep_their_order():
    scores = np.random.default_rng(0).standard_normal((6, 20))
    i2t, _ = multivariate_rerank(scores, num_candidates=4, decay=1.0)
    before, after = np.argsort(-scores, axis=1), np.argsort(-i2t, axis=1)
    assert np.array_equal(before[:, 4:], after[:, 4:])
    assert np.array_equal(np.sort(before[:, :4]), np.sort(after[:, :4])) and not np.array_equal(before, after)
    one, _ = multivariate_rerank(scores, num_candidates=20, significance_weight=0.0, reverse_weight=0.0)
    assert np.array_equal(np.argsort(-one, axis=1), before)


@pytest.mark.parametrize('method', sorted(RERANKERS))
def test_equal_captions_and_images_stay_tied(method):
    generator = np.random.default_rng(1)
    scores = generator.standard_normal((37, 53)).astype(np.float32)[:, generator.integers(0, 53, 211)]
    scores[30:] = scores[:7]
    before = scores.copy()
    for result in RERANKERS[method](scores):
        assert result.shape == scores.shape and np.isfinite(result).all()
        assert np.array_equal(result[30:], result[:7])
        _, group = np.unique(scores, axis=1, return_inverse=True)
        for number in range(5):
            same = result[:, group.reshape(-1) == number]
            assert (same == same[:, :1]).all()
    assert np.array_equal(scores, before)


def test_metric_labels_the_numbers():
    metric = ImageTextRecall(rerank=dict(method='dual_softmax', temperature=0.1))
    plain = ImageTextRecall()
    for one in (metric, plain):
        one.process(None, make_samples())
    found, reference = metric.evaluate(10), plain.evaluate(10)
    assert {k: v for k, v in found.items() if 'transductive' not in k} == reference
    names = {k.removeprefix('retrieval/transductive_dual_softmax_') for k in found if 'transductive' in k}
    assert names == {k.removeprefix('retrieval/') for k in reference if not k.startswith('retrieval/Rsum_')}
    assert found['retrieval/transductive_dual_softmax_Rsum'] != reference['retrieval/Rsum']


@pytest.mark.parametrize(
    ('rerank', 'message'),
    [
        (dict(method='luck'), 'must name a method'),
        ('dual_softmax', 'must name a method'),
        (dict(temperature=1.0), 'must name a method'),
        (dict(method='dual_softmax', temperature=0), 'rerank: temperature must be a number above 0, got 0'),
        (dict(method='dual_softmax', heat=1), 'has an option that dual_softmax does not take'),
        (dict(method='multivariate', num_candidates=0), 'num_candidates must be a whole number of at least 1, got 0'),
        (dict(method='multivariate', decay=-1.0), 'rerank: decay must be a number of at least 0, got -1.0'),
    ],
)
def test_bad_options(rerank, message):
    with pytest.raises(ConfigError, match=message):
        ImageTextRecall(rerank=rerank)


def test_bad_scores():
    for scores in (np.zeros(3), np.zeros((0, 3)), np.array([[math.nan]])):
        with pytest.raises(MetricError, match='finite'):
            dual_softmax(scores)
