"""(N, M) scores -> re-ranked scores of both directions. TRANSDUCTIVE: it uses the other queries of the test set.

A re-ranked score depends on the other queries that are asked at the same time, which a search engine does not know in
advance. Numbers from here carry the prefix ``transductive_`` wherever they appear and are not comparable to numbers
without it.

Each function returns (i2t, t2i), both (N, M): images compete with each other for a caption in the first, captions for
an image in the second. Equal captions (columns of equal scores) and equal images (rows) stay tied to the bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable

import numpy as np

from ..errors import ConfigError, MetricError
from ..utils.checks import check_int, check_number

Pair = tuple[np.ndarray, np.ndarray]


def inverted_softmax(scores: np.ndarray, *, temperature: float = 0.05) -> Pair:
    """Log of the share of a query in the softmax over all queries of a candidate: hubs, near to all queries, lose.

    ``s(q, c) / t - log sum_q' exp(s(q', c) / t)``, with queries q and candidates c.

    Source: Smith et al., Offline bilingual word vectors, orthogonal transformations and the inverted softmax, ICLR
        2017.

    Args:
        scores: (N, M) finite.
        temperature: t > 0, in units of the scores.  # ours: for cosines

    Raises:
        ConfigError: ``temperature`` is not positive.
        MetricError: ``scores`` is not a finite matrix.
    """
    scores = _checked(scores, temperature=temperature)
    logits = scores / temperature
    return _keep_ties(scores, logits - _log_sum_exp(logits, 0), logits - _log_sum_exp(logits, 1))


def dual_softmax(scores: np.ndarray, *, temperature: float = 0.05) -> Pair:
    """Scores times their softmax over the queries.

    ``s(q, c) * exp(s(q, c) / t) / sum_q' exp(s(q', c) / t)``. Scores must be positive where they matter, as cosines of
    matching pairs are.

    Source: Cheng et al., Improving video-text retrieval by multi-stream corpus alignment and dual softmax loss, 2021
        (at test time).

    Raises:
        ConfigError, MetricError: see `inverted_softmax`.
    """
    scores = _checked(scores, temperature=temperature)
    i2t, t2i = inverted_softmax(scores, temperature=temperature)
    return _keep_ties(scores, scores * np.exp(i2t), scores * np.exp(t2i))


def multivariate_rerank(
    scores: np.ndarray,
    *,
    num_candidates: int = 30,
    significance_weight: float = 0.3,
    reverse_weight: float = 1.1,
    decay: float = 0.05,
) -> Pair:
    """Re-order the first candidates of each query by the rank that they give to the query, after GaLR.

    The first K candidates c of query q get ``w_s s(q, c) / sum_q' s(q', c) + exp(-decay f) + w_r exp(-decay r)``. f is
    c's rank for q, r its position among the K when they are sorted by the rank that q has for each of them; both count
    from 1. All others follow in their previous order. Scores must be positive where they matter, as in `dual_softmax`;
    a candidate whose scores sum to 0 gets no share.

    The rule and its numbers are those of the released code, for both directions. Two details are ours: the order of the
    others, which all get 0 in that code, and ties, which it leaves to the sorting. Here candidates that score the same
    share the best rank of their group, and of those that give q the same rank the better one for q comes first.

    Source: Yuan et al., Remote sensing cross-modal text-image retrieval based on global and local information, TGRS
        2022, with its released code.

    Args:
        scores: (N, M) finite.
        num_candidates: K; candidates that tie with the K-th are re-ordered too.
        significance_weight: w_s, of the share of a candidate's scores that the query holds.
        reverse_weight: w_r.
        decay: of the rank terms.

    Raises:
        ConfigError: ``num_candidates`` is not a whole number of at least 1, or a weight or the decay is negative.
        MetricError: ``scores`` is not a finite matrix.
    """
    check_int('rerank', 'num_candidates', num_candidates)
    numbers = dict(significance_weight=significance_weight, reverse_weight=reverse_weight, decay=decay)
    for key, value in numbers.items():
        check_number('rerank', key, value, least=0)
    scores = _checked(scores)
    by_image, by_text = _ranks(scores), _ranks(scores.T).T  # (N, M) of captions for images, of images for captions

    def one_way(scores: np.ndarray, forward: np.ndarray, reverse: np.ndarray) -> np.ndarray:
        chosen = forward < num_candidates
        total = scores.sum(axis=0, keepdims=True)
        share = np.divide(scores, total, out=np.zeros_like(scores), where=total != 0)
        position = _ranks(np.where(chosen, -(reverse * scores.shape[1] + forward), -np.inf))
        better = significance_weight * share + np.exp(-decay * (forward + 1))
        better += reverse_weight * np.exp(-decay * (position + 1))
        last = np.where(chosen, better, np.inf).min(axis=1, keepdims=True)
        return np.where(chosen, better, last - forward)

    return _keep_ties(scores, one_way(scores, by_image, by_text), one_way(scores.T, by_text.T, by_image.T).T)


RERANKERS: dict[str, Callable[..., Pair]] = dict(
    inverted_softmax=inverted_softmax, dual_softmax=dual_softmax, multivariate=multivariate_rerank
)


def check_rerank(rerank: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """``dict(method=..., **options)`` -> (method, options), tried on a 2 x 2 matrix.

    Raises:
        ConfigError: an unknown method or option, or an option out of range.
    """
    options = dict(rerank) if isinstance(rerank, Mapping) else {}
    method = options.pop('method', None)
    if method not in RERANKERS:
        raise ConfigError(
            f"rerank={rerank!r} must name a method of {tuple(RERANKERS)}, e.g. rerank=dict(method='dual_softmax')"
        )
    try:
        RERANKERS[method](np.eye(2), **options)
    except TypeError as error:
        raise ConfigError(f'rerank={rerank!r} has an option that {method} does not take: {error}') from error
    return method, options


def _checked(scores: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    check_number('rerank', 'temperature', temperature, above=0)
    scores = np.asarray(scores, dtype=np.float64)
    if scores.ndim != 2 or not scores.size or not np.isfinite(scores).all():
        raise MetricError(f'scores to re-rank must be a finite (images, captions) matrix, got shape {scores.shape}')
    return scores


def _log_sum_exp(logits: np.ndarray, axis: int) -> np.ndarray:
    peak = logits.max(axis=axis, keepdims=True)
    return peak + np.log(np.exp(logits - peak).sum(axis=axis, keepdims=True))


def _ranks(scores: np.ndarray) -> np.ndarray:
    """Rank (R, C) float64 from 0 of each column in its row, best first; ties share the best rank of their group."""
    ordered = np.sort(-scores, axis=1)
    return np.stack([np.searchsorted(row, -values) for row, values in zip(ordered, scores)]).astype(np.float64)


def _keep_ties(scores: np.ndarray, *results: np.ndarray) -> Any:
    """Results where equal rows and equal columns of ``scores`` have equal bits: rounding depends on the position."""
    for axis in (0, 1):
        _, first, group = np.unique(scores, axis=axis, return_index=True, return_inverse=True)
        results = tuple(np.take(result, first[group.reshape(-1)], axis=axis) for result in results)
    return results
