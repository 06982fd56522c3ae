"""Slow and simple: recall by going through all orders of the candidates, in fractions."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import permutations


def orders(scores: Sequence[float]) -> list[tuple[int, ...]]:
    """All orders of the candidates in which no one stands before a better one."""
    return [
        order
        for order in permutations(range(len(scores)))
        if all(scores[a] >= scores[b] for a, b in zip(order, order[1:]))
    ]


def hits(scores: Sequence[float], positives: set[int], k: int) -> list[int]:
    """1 or 0 for each order: is a positive within the first k?"""
    return [int(any(candidate in positives for candidate in order[:k])) for order in orders(scores)]


def ranks(scores: Sequence[float], positives: set[int]) -> list[int]:
    """Rank of the best positive, from 1, for each order."""
    return [min(order.index(candidate) for candidate in positives) + 1 for order in orders(scores)]


def recall(queries: Sequence[tuple[Sequence[float], set[int]]], k: int, ties: str) -> Fraction:
    """Percent of queries (scores, positives) that hit at k."""
    total = Fraction(0)
    for scores, positives in queries:
        found = hits(scores, positives, k)
        mean = Fraction(sum(found), len(found))
        total += {'expected': mean, 'optimistic': max(found), 'pessimistic': min(found)}[ties]
    return 100 * total / len(queries)


def queries_of(scores: Sequence[Sequence[float]], owner: Sequence[int]) -> dict[str, list]:
    """Both directions of an images x captions matrix as lists of (scores, positives)."""
    i2t = [(list(row), {m for m, n in enumerate(owner) if n == image}) for image, row in enumerate(scores)]
    t2i = [([row[caption] for row in scores], {image}) for caption, image in enumerate(owner)]
    return {'i2t': i2t, 't2i': t2i}
