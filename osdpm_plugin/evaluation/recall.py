"""Counts of `ranking` -> R@K, median ranks, Rsum and mR, under a named rule for ties.

The rules differ in the order of candidates that score the same:

- ``expected`` (default): all orders are equally likely, and recall is its exact expectation. A query with ``above``
  negatives over a tie group of ``tied`` candidates, ``pos`` of them positive, misses at K with the hypergeometric
  probability C(tied - pos, k) / C(tied, k) of drawing k = min(K - above, tied) negatives.
- ``optimistic``: ties count for the model, positives come first.
- ``pessimistic``: ties count against it, all negatives of the group come first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..errors import ConfigError
from .ranking import QueryRanks, RetrievalRanks

TIE_POLICIES = ('expected', 'optimistic', 'pessimistic')


def check_ties(ties: str) -> None:
    """Raise ConfigError unless ``ties`` names a rule."""
    if not isinstance(ties, str) or ties not in TIE_POLICIES:
        raise ConfigError(f'ties={ties!r} is no rule for ties; choose one of {", ".join(map(repr, TIE_POLICIES))}')


def check_topk(topk: Sequence[int]) -> tuple[int, ...]:
    """``topk`` as a tuple.

    Raises:
        ConfigError: it is empty, repeats a value or holds something other than positive ints.
    """
    values = tuple(topk) if isinstance(topk, (list, tuple)) else ()
    if (
        not values
        or len(set(values)) < len(values)
        or any(isinstance(k, bool) or not isinstance(k, int) or k < 1 for k in values)
    ):
        raise ConfigError(f'topk={topk!r} must be distinct positive ints; use e.g. topk=(1, 5, 10)')
    return values


def hit_probability(ranks: QueryRanks, k: int, ties: str = 'expected') -> Tensor:
    """Probability (Q,) float64 that each query has a positive among its first ``k`` candidates.

    It is 0 or 1 for the rules ``optimistic`` and ``pessimistic``. A ``k`` beyond the gallery is a hit.

    Raises:
        ConfigError: ``k`` is not a positive int, or ``ties`` no rule.
    """
    check_topk((k,))
    check_ties(ties)
    if ties == 'optimistic':
        return (ranks.above < k).double()
    if ties == 'pessimistic':
        return (ranks.above + ranks.tied - ranks.pos < k).double()
    places = (k - ranks.above).clamp(min=0).minimum(ranks.tied)  # (Q,) places left for the tie group
    miss = torch.ones(len(places), dtype=torch.float64)
    # C(tied - pos, places) / C(tied, places) = product over the positives of (tied - places - j) / (tied - j)
    for j in range(int(ranks.pos.max())):
        factor = (ranks.tied - places - j).clamp(min=0).double() / (ranks.tied - j).clamp(min=1).double()
        miss = torch.where(j < ranks.pos, miss * factor, miss)
    return 1 - miss


def recall_at(ranks: QueryRanks, k: int, ties: str = 'expected') -> float:
    """R@k in percent; the sum over queries is correctly rounded, so that their order does not matter.

    Raises:
        ConfigError: ``k`` is not a positive int, or ``ties`` no rule.
    """
    return 100 * math.fsum(hit_probability(ranks, k, ties).tolist()) / len(ranks.above)


def median_rank(ranks: QueryRanks, ties: str = 'expected') -> float:
    """Median over queries of the rank of the best positive, counted from 1.

    Of an even number of queries it is the mean of the middle two. With the rule ``expected`` a query's rank is its
    expectation over the orders of the tie group, above + (tied + 1) / (pos + 1).

    Raises:
        ConfigError: ``ties`` is no rule.
    """
    check_ties(ties)
    if ties == 'optimistic':
        rank = ranks.above.double() + 1
    elif ties == 'pessimistic':
        rank = (ranks.above + ranks.tied - ranks.pos).double() + 1
    else:
        rank = ranks.above.double() + (ranks.tied + 1).double() / (ranks.pos + 1).double()
    return float(np.median(rank.numpy()))


def summarise(ranks: RetrievalRanks, topk: Sequence[int] = (1, 5, 10)) -> dict[str, dict[str, float]]:
    """All numbers under all rules: ``{rule: {name: value}}``.

    Names: ``i2t_R@K`` and ``t2i_R@K`` in percent for each K of ``topk``, ``i2t_medr`` and ``t2i_medr`` from 1, ``Rsum``
    (the sum of all recalls, six for three K) and ``mR`` (their mean).

    Raises:
        ConfigError: ``topk`` is not made of distinct positive ints.
    """
    topk = check_topk(topk)
    summary = {}
    for ties in TIE_POLICIES:
        values = {f'{way}_R@{k}': recall_at(getattr(ranks, way), k, ties) for way in ('i2t', 't2i') for k in topk}
        total = math.fsum(values.values())
        values.update({f'{way}_medr': median_rank(getattr(ranks, way), ties) for way in ('i2t', 't2i')})
        values.update({'Rsum': total, 'mR': total / (2 * len(topk))})
        summary[ties] = values
    return summary
