"""Counts and recalls against work on paper, an oracle of all orders, and torchmetrics."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchmetrics.functional.retrieval import retrieval_hit_rate

from osdpm_plugin.errors import ConfigError, MetricError
from osdpm_plugin.evaluation import (
    TIE_POLICIES,
    QueryRanks,
    hit_probability,
    median_rank,
    ranks_from_scores,
    recall_at,
    summarise,
)
from tests.helpers import recall_oracle as oracle


def test_hand_worked_case():
    """Three images (ids 7, 3, 5) with 1, 3 and 1 captions; columns a b c d e belong to 7 3 3 3 5.

            a    b    c    d    e
      7    .5   .9   .5   .1   .5     best positive .5: above b; tied a c e, one positive
      3    .2   .8   .8   .8   .8     best positive .8: none above; tied b c d e, three positives
      5    .9   .1   .1   .8   .7     best positive .7: above a d; tied e alone

    i2t, R@1 expected: 7 misses (one above); 3 hits unless e comes first, 3/4; 5 misses: 100 * (3/4) / 3 = 25.
    i2t, R@2: 7 has one place for three tied, 1/3; 3 hits; 5 misses: 100 * (4/3) / 3 = 44.4...
    Ranks: 7: 2..4, expected 1 + 4/2 = 3; 3: 1..2, expected 5/4; 5: 3. Medians 3 expected, 2 optimistic, 3 pessimistic.

    t2i, column by column, own score marked by the owner's row:
      a own .5: above .9; alone -> rank 2      b own .8: above .9 -> 2          c own .8: best -> 1
      d own .8: tied with image 5 -> 1 or 2    e own .7: above .8 -> 2
    R@1 expected 100 * (1 + 1/2) / 5 = 30, optimistic 40, pessimistic 20; R@2 100. Medians 2 (expected 2, 2, 1, 1.5, 2).
    """
    scores = torch.tensor([[0.5, 0.9, 0.5, 0.1, 0.5], [0.2, 0.8, 0.8, 0.8, 0.8], [0.9, 0.1, 0.1, 0.8, 0.7]])
    ranks = ranks_from_scores(scores, [7, 3, 5], [7, 3, 3, 3, 5])
    assert ranks.i2t.above.tolist() == [1, 0, 2]
    assert ranks.i2t.tied.tolist() == [3, 4, 1]
    assert ranks.i2t.pos.tolist() == [1, 3, 1]
    assert ranks.t2i.above.tolist() == [1, 1, 0, 0, 1]
    assert ranks.t2i.tied.tolist() == [1, 1, 1, 2, 1]
    assert ranks.t2i.pos.tolist() == [1] * 5
    assert recall_at(ranks.i2t, 1) == pytest.approx(25, abs=1e-12)
    assert recall_at(ranks.i2t, 2) == pytest.approx(400 / 9, abs=1e-12)
    assert [recall_at(ranks.i2t, 1, ties) for ties in TIE_POLICIES[1:]] == [100 / 3, 0]
    assert [recall_at(ranks.t2i, 1, ties) for ties in TIE_POLICIES] == [30, 40, 20]
    assert [recall_at(ranks.t2i, 2, ties) for ties in TIE_POLICIES] == [100, 100, 100]
    assert [median_rank(ranks.i2t, ties) for ties in TIE_POLICIES] == [3, 2, 3]
    assert [median_rank(ranks.t2i, ties) for ties in TIE_POLICIES] == [2, 2, 2]
    summary = summarise(ranks, (1, 2))
    assert list(summary) == list(TIE_POLICIES)
    names = 'i2t_R@1 i2t_R@2 t2i_R@1 t2i_R@2 i2t_medr t2i_medr Rsum mR'
    assert list(summary['expected']) == names.split()
    assert summary['expected']['Rsum'] == pytest.approx(25 + 400 / 9 + 30 + 100, abs=1e-12)
    assert summary['expected']['mR'] == summary['expected']['Rsum'] / 4


@st.composite
def small_case(draw):
    images = draw(st.integers(1, 4))
    extra = draw(st.lists(st.integers(0, images - 1), max_size=6 - images))
    owner = draw(st.permutations(list(range(images)) + extra))
    level = st.integers(0, draw(st.integers(0, 3)))
    scores = draw(st.lists(st.lists(level, min_size=len(owner), max_size=len(owner)), min_size=images, max_size=images))
    return scores, owner


@settings(max_examples=60, deadline=None)
@given(small_case(), st.integers(1, 3))
def test_agrees_with_all_orders(case, chunk_size):
    scores, owner = case
    ids = [11 * n + 5 for n in range(len(scores))]
    ranks = ranks_from_scores(
        torch.tensor(scores, dtype=torch.float32), ids, [ids[n] for n in owner], chunk_size=chunk_size
    )
    for way, queries in oracle.queries_of(scores, owner).items():
        part = getattr(ranks, way)
        all_ranks = [oracle.ranks(*query) for query in queries]
        for ties, pick in (('expected', lambda r: Fraction(sum(r), len(r))), ('optimistic', min), ('pessimistic', max)):
            median = np.median([float(pick(r)) for r in all_ranks])
            assert median_rank(part, ties) == pytest.approx(median, abs=1e-12)
            for k in (1, 2, 3, 5, 10):
                assert recall_at(part, k, ties) == pytest.approx(float(oracle.recall(queries, k, ties)), abs=1e-12)


def test_hypergeometric_matches_binomials():
    """All groups up to 12 candidates, and large ones, against exact binomials."""
    cases = [
        (above, tied, pos, k)
        for above in (0, 2)
        for tied in range(1, 13)
        for pos in range(1, tied + 1)
        for k in (1, 3, 5, 10, 20)
    ]
    cases += [(17, 5465, 5, k) for k in (18, 1000, 5480, 5481, 5482)] + [(0, 4000, 900, 10), (3, 4000, 1, 10)]
    for above, tied, pos, k in cases:
        ranks = QueryRanks(*(torch.tensor([value]) for value in (above, tied, pos)))
        places = min(max(k - above, 0), tied)
        exact = 1 - Fraction(math.comb(tied - pos, places), math.comb(tied, places))
        found = hit_probability(ranks, k).item()
        assert found == pytest.approx(float(exact), abs=1e-14), (above, tied, pos, k)
        if exact in (0, 1):
            assert found == exact


def test_random_orders_average_to_the_expectation():
    """20 000 random tie breaks of a heavily tied matrix: within five standard errors."""
    generator = np.random.default_rng(0)
    scores = generator.integers(0, 3, (6, 15)).astype(np.float32)
    owner = np.sort(np.concatenate([np.arange(6), generator.integers(0, 6, 9)]))
    ranks = ranks_from_scores(scores, range(6), owner)
    for k in (1, 2, 4):
        noise = generator.random((20_000, 15))
        for image in range(6):
            order = np.lexsort((noise, np.broadcast_to(-scores[image], noise.shape)), axis=1)
            hit = (owner[order[:, :k]] == image).any(axis=1).mean()
            exact = hit_probability(ranks.i2t, k)[image].item()
            assert abs(hit - exact) <= 5 * math.sqrt(max(exact * (1 - exact), 1e-9) / len(noise))


def test_agrees_with_torchmetrics_without_ties():
    generator = torch.Generator().manual_seed(3)
    owner = torch.cat([torch.arange(20), torch.randint(20, (40,), generator=generator)])
    scores = torch.randperm(20 * 60, generator=generator).reshape(20, 60).float()
    ranks = ranks_from_scores(scores, range(20), owner, chunk_size=7)
    for k in (1, 5, 10):
        i2t = [retrieval_hit_rate(scores[n], owner == n, top_k=k).item() for n in range(20)]
        t2i = [retrieval_hit_rate(scores[:, m], torch.arange(20) == owner[m], top_k=k).item() for m in range(60)]
        for ties in TIE_POLICIES:
            assert hit_probability(ranks.i2t, k, ties).tolist() == i2t
            assert hit_probability(ranks.t2i, k, ties).tolist() == t2i
            assert recall_at(ranks.i2t, k, ties) == pytest.approx(100 * np.mean(i2t), abs=1e-12)


def test_order_means_nothing():
    generator = torch.Generator().manual_seed(1)
    scores = torch.randint(0, 9, (8, 20), generator=generator).float()
    owner = torch.arange(20) % 8
    rows, cols = torch.randperm(8, generator=generator), torch.randperm(20, generator=generator)
    plain = summarise(ranks_from_scores(scores, torch.arange(8), owner))
    assert summarise(ranks_from_scores(scores[rows][:, cols], rows, owner[cols])) == plain


def test_all_tied():
    """N = 4 images of 2 captions, all scores equal: i2t R@1 = 2/8, t2i R@1 = 1/4."""
    ranks = ranks_from_scores(torch.zeros(4, 8), range(4), [0, 0, 1, 1, 2, 2, 3, 3])
    assert recall_at(ranks.i2t, 1) == pytest.approx(25, abs=1e-12)
    assert recall_at(ranks.t2i, 1) == 25
    assert recall_at(ranks.i2t, 6) == pytest.approx(100 * (1 - 1 / 28), abs=1e-12)  # C(6, 6) / C(8, 6)
    assert recall_at(ranks.i2t, 7) == 100
    assert [recall_at(ranks.i2t, 1, ties) for ties in ('optimistic', 'pessimistic')] == [100, 0]
    assert [median_rank(ranks.i2t, ties) for ties in TIE_POLICIES] == [3, 1, 7]
    assert [median_rank(ranks.t2i, ties) for ties in TIE_POLICIES] == [2.5, 1, 4]


def test_one_image_one_caption_and_k_beyond_the_gallery():
    summary = summarise(ranks_from_scores(torch.tensor([[-3.0]]), [4], [4]))
    for values in summary.values():
        recalls = {f'{way}_R@{k}': 100 for way in ('i2t', 't2i') for k in (1, 5, 10)}
        assert values == {**recalls, 'i2t_medr': 1, 't2i_medr': 1, 'Rsum': 600, 'mR': 100}
    worst = ranks_from_scores(torch.tensor([[0.0, 1.0], [1.0, 0.0]]), [0, 1], [0, 1])
    assert [recall_at(worst.t2i, k) for k in (1, 2, 50)] == [0, 100, 100]


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16, torch.float64, torch.int32])
def test_dtypes_of_scores(dtype):
    scores = torch.tensor([[3, 1, 2], [3, 0, 2]], dtype=dtype)
    ranks = ranks_from_scores(scores, np.array([1, 2]), torch.tensor([1, 1, 2]))
    assert ranks.i2t.above.tolist() == [0, 1]
    assert ranks.t2i.tied.tolist() == [2, 1, 2]


def test_arguments_are_not_edited():
    scores = torch.arange(6.0).reshape(2, 3)
    before = scores.clone()
    ranks_from_scores(scores, [1, 2], [1, 1, 2])
    assert torch.equal(scores, before)


@pytest.mark.parametrize('value', [math.nan, math.inf, -math.inf])
def test_scores_that_are_not_finite(value):
    scores = torch.zeros(3, 4)
    scores[1, 2] = scores[2, 0] = value
    with pytest.raises(MetricError, match='2 of 12 scores .* image id 20 with caption id 102'):
        ranks_from_scores(scores, [10, 20, 30], [10, 20, 30, 30], caption_ids=[100, 101, 102, 103], chunk_size=2)


@pytest.mark.parametrize(
    ('shape', 'image_ids', 'owner', 'message'),
    [
        ((2, 3), [1, 2], [1, 2], '2 image ids and 2 captions do not fit 2 x 3'),
        ((2, 2), [1, 1], [1, 1], '1 image ids are repeated, the first is 1'),
        ((2, 2), [1, 2], [1, 9], '1 captions belong to images that are not ranked, the first to image 9'),
        ((2, 2), [1, 2], [1, 1], '1 of 2 images have no caption, the first is image 2'),
        ((0, 0), [], [], 'nothing to rank'),
        ((2, 2), [1.0, 2.0], [1, 2], 'image_ids must be a flat list of ints'),
        ((4,), [1, 2], [1, 2], 'matrix'),
    ],
)
def test_ids_that_do_not_fit(shape, image_ids, owner, message):
    with pytest.raises(MetricError, match=message):
        ranks_from_scores(torch.zeros(shape), image_ids, owner)


def test_arguments_that_do_not_fit():
    ranks = ranks_from_scores(torch.zeros(1, 1), [1], [1])
    with pytest.raises(ConfigError, match="recall: ties must be one of 'expected', .*, got 'lucky'"):
        recall_at(ranks.i2t, 1, 'lucky')
    for k in (0, -1, 1.5, True, '1'):
        with pytest.raises(ConfigError, match='recall: k must be'):
            recall_at(ranks.i2t, k)
    with pytest.raises(ConfigError, match='chunk_size must be a whole number of at least 1, got 0'):
        ranks_from_scores(torch.zeros(1, 1), [1], [1], chunk_size=0)
