"""Counts of `ranking` -> R@K, median ranks, Rsum and mR, under a named rule for ties, and their table.

The rules differ in the order of candidates that score the same:

- ``expected`` (default): all orders are equally likely, and recall is its exact expectation. A query with ``above``
  negatives before a tie group of ``tied`` candidates, ``pos`` of them positive, misses at K with the hypergeometric
  probability C(tied - pos, k) / C(tied, k) of drawing k = min(K - above, tied) negatives.
- ``optimistic``: ties count for the model: positives come first.
- ``pessimistic``: ties count against the model: all negatives of the group come first.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from ..errors import ConfigError
from ..utils.checks import check_int, check_one_of
from .ranking import QueryRanks, RetrievalRanks

TIE_POLICIES = ('expected', 'optimistic', 'pessimistic')


def check_topk(topk: Sequence[int]) -> tuple[int, ...]:
    """``topk`` as a tuple.

    Raises:
        ConfigError: it is empty, repeats a value or holds something other than whole numbers of at least 1.
    """
    values = tuple(topk) if isinstance(topk, (list, tuple)) else ()
    if not values or len(set(values)) < len(values) or any(type(k) is not int or k < 1 for k in values):
        raise ConfigError(f'topk={topk!r} must be different whole numbers of at least 1; use e.g. topk=(1, 5, 10)')
    return values


def hit_probability(ranks: QueryRanks, k: int, ties: str = 'expected') -> Tensor:
    """Probability (Q,) float64 that each query has a positive among its first ``k`` candidates.

    It is 0 or 1 for the rules ``optimistic`` and ``pessimistic``. A ``k`` beyond the gallery is a hit.

    Raises:
        ConfigError: ``k`` is not a whole number of at least 1, or ``ties`` no rule.
    """
    check_int('recall', 'k', k)
    check_one_of('recall', 'ties', ties, TIE_POLICIES)
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
        ConfigError: ``k`` is not a whole number of at least 1, or ``ties`` no rule.

    Example:
        >>> above, tied, pos = torch.tensor([[0, 3], [1, 2], [1, 1]])  # of two queries
        >>> ranks = QueryRanks(above, tied, pos)
        >>> [recall_at(ranks, k) for k in (1, 4, 5)]  # the second query is at rank 4 or 5, equally likely
        [50.0, 75.0, 100.0]
        >>> recall_at(ranks, 4, 'pessimistic')
        50.0
    """
    return 100 * math.fsum(hit_probability(ranks, k, ties).tolist()) / len(ranks.above)


def median_rank(ranks: QueryRanks, ties: str = 'expected') -> float:
    """Median over queries of the rank of the best positive, counted from 1.

    For an even number of queries it is the mean of the middle two. With the rule ``expected`` a query's rank is its
    expectation over the orders of the tie group, above + (tied + 1) / (pos + 1).

    Raises:
        ConfigError: ``ties`` is no rule.
    """
    check_one_of('recall', 'ties', ties, TIE_POLICIES)
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
        ConfigError: ``topk`` does not consist of different whole numbers of at least 1.
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


def recall_table(metrics: Mapping[str, float], *, prefix: str = 'retrieval') -> str:
    """The table of papers as lines of text: recall both ways, median ranks, Rsum and mR.

    Args:
        metrics: what `ImageTextRecall` returns, keys ``<prefix>/i2t_R@1`` ..., percent.
    """
    values = {key[len(prefix) + 1 :]: value for key, value in metrics.items() if key.startswith(f'{prefix}/')}
    topk = sorted(int(key.split('@')[1]) for key in values if key.startswith('i2t_R@'))
    head = '                ' + ''.join(f'{f"R@{k}":>8}' for k in topk) + f'{"median rank":>14}'
    lines = [head]
    for way, name in (('i2t', 'image to text'), ('t2i', 'text to image')):
        lines.append(
            f'{name:<16}' + ''.join(f'{values[f"{way}_R@{k}"]:8.2f}' for k in topk) + f'{values[f"{way}_medr"]:14.1f}'
        )
    lines.append(f'Rsum {values["Rsum"]:.2f}   mR {values["mR"]:.2f}   (percent)')
    return '\n'.join(lines)
