"""Counts, overlaps and ceilings: hand-worked numbers and naive oracles."""

import itertools
import random

import numpy as np
import pytest

from osdpm_plugin.evaluation import ranks_from_scores, summarise
from osdpm_plugin.lab.data.auditing import caption_overlap, ceiling, count_captions, identical_text_ranks
from osdpm_plugin.lab.data.auditing.ceiling import bound

TRAIN = [['A park .', 'a park'], ['two planes', 'two planes'], ['two planes', 'a river']]


def random_captions(seed, images=4, most=3, texts=4):
    rng = random.Random(seed)
    return [[rng.choice('abcdefgh'[:texts]) for _ in range(rng.randint(1, most))] for _ in range(images)]


def test_counts_by_hand():
    counts = count_captions(TRAIN)
    assert counts._asdict() == dict(
        unique=4, unique_per_image=5 / 3, images_all_identical=1, shared=3, images_all_shared=1
    )
    assert count_captions([['a']]).images_all_identical == 0  # a lone caption repeats nothing


def test_overlap_by_hand():
    assert caption_overlap([['a', 'b'], ['b', 'b', 'c', 'd']], [['b'], ['d', 'd']]) == (4, 100 * 4 / 6, 2)
    assert caption_overlap([['a']], [['b']]) == (0, 0, 0)


@pytest.mark.parametrize('seed', range(10))
def test_overlap_and_counts_by_naive_loops(seed):
    one, other = random_captions(seed), random_captions(seed + 100, texts=8)
    occurrences = sum(any(text in texts for texts in other) for own in one for text in own)
    assert caption_overlap(one, other).occurrences == occurrences
    shared = sum(any(text in one[j] for j in range(len(one)) if j != i) for i in range(len(one)) for text in one[i])
    assert count_captions(one).shared == shared


def test_ceiling_by_hand():
    found = ceiling(TRAIN, (1, 2))
    identical = found['identical']
    assert identical['expected']['t2i_R@1'] == pytest.approx(100 * 4.5 / 6)
    assert identical['expected']['i2t_R@1'] == pytest.approx(100 * (1 + 2 / 3 + 1 / 2) / 3)
    assert identical['pessimistic']['t2i_R@1'] == pytest.approx(50)
    assert identical['pessimistic']['i2t_R@1'] == pytest.approx(100 / 3)
    assert identical['pessimistic']['i2t_R@2'] == pytest.approx(200 / 3)
    assert identical['optimistic']['mR'] == 100
    for ties, i2t in (('expected', 8 / 9), ('pessimistic', 2 / 3)):
        assert found['bound'][ties]['i2t_R@1'] == pytest.approx(100 * i2t)
        assert found['bound'][ties]['t2i_R@1'] == pytest.approx(100 * 5 / 6)
        assert found['bound'][ties]['t2i_R@2'] == 100


def test_different_texts_have_no_ceiling():
    captions = [[f'{i} {j}' for j in range(5)] for i in range(7)]
    for kind in ceiling(captions).values():
        assert all(value['mR'] == 100 for value in kind.values())


@pytest.mark.parametrize('seed', range(20))
def test_ranks_are_those_of_the_score_matrix(seed):
    captions = random_captions(seed, images=9, most=5, texts=8)
    flat = [(n, text) for n, texts in enumerate(captions) for text in texts]
    scores = np.array([[float(text in texts) for _, text in flat] for texts in captions])
    expected = ranks_from_scores(scores, range(len(captions)), [n for n, _ in flat])
    found = identical_text_ranks(captions)
    for way in ('i2t', 't2i'):
        for a, b in zip(getattr(found, way), getattr(expected, way)):
            assert a.tolist() == b.tolist()
    assert summarise(found) == summarise(expected)


def share_of_orders(scores, positives, k):
    """Hits at k, (mean, worst) over all orders of equal scores, by permutations."""
    hits = []
    for order in itertools.permutations(range(len(scores))):
        ranked = sorted(order, key=lambda i: -scores[i])  # stable: the permutation orders ties
        hits.append(any(i in positives for i in ranked[:k]))
    return sum(hits) / len(hits), min(hits)


@pytest.mark.parametrize('seed', range(6))
def test_identical_model_by_permutations(seed):
    captions = random_captions(seed, images=3, most=2, texts=3)
    flat = [(n, text) for n, texts in enumerate(captions) for text in texts]
    found = ceiling(captions, (1, 2))['identical']
    for k in (1, 2):
        i2t = [
            share_of_orders([text in texts for _, text in flat], {m for m, (n, _) in enumerate(flat) if n == i}, k)
            for i, texts in enumerate(captions)
        ]
        t2i = [share_of_orders([text in texts for texts in captions], {n}, k) for n, text in flat]
        for way, outcomes in (('i2t', i2t), ('t2i', t2i)):
            for ties, values in zip(('expected', 'pessimistic'), zip(*outcomes)):
                assert found[ties][f'{way}_R@{k}'] == pytest.approx(100 * sum(values) / len(values))


@pytest.mark.parametrize('seed', range(6))
def test_bound_is_the_best_of_all_models(seed):
    captions = random_captions(seed, images=3, most=2, texts=3)
    flat = [(n, text) for n, texts in enumerate(captions) for text in texts]
    texts = sorted({text for _, text in flat})
    found = bound(captions, (1, 2))
    for k in (1, 2):
        # weak orders, so that a model may let different texts tie as well
        i2t = []
        for i in range(len(captions)):
            own = {m for m, (n, _) in enumerate(flat) if n == i}
            outcomes = [
                share_of_orders([levels[texts.index(text)] for _, text in flat], own, k)
                for levels in itertools.product(range(len(texts)), repeat=len(texts))
            ]
            i2t.append([max(column) for column in zip(*outcomes)])
        t2i = 0
        for text in texts:
            askers = [n for n, own in flat if own == text]
            t2i += max(
                sum(order.index(n) < k for n in askers) for order in itertools.permutations(range(len(captions)))
            )
        for ties, values in zip(('expected', 'pessimistic'), zip(*i2t)):
            assert found[ties][f'i2t_R@{k}'] == pytest.approx(100 * sum(values) / len(values))
            assert found[ties][f't2i_R@{k}'] == pytest.approx(100 * t2i / len(flat))
