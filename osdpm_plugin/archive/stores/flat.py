"""Vectors and queries -> the rows with the highest dot products, exactly. Pure functions."""

from __future__ import annotations

from typing import Optional

import numpy as np
import torch

from ...search.query import dot_products

MARGIN = 1e-4  # more than the rounding of a dot product of unit vectors in float32, whatever the order of its terms
QUERIES_AT_A_TIME = 16
_GATHER_BELOW = 0.25  # share of rows below which copying them costs less than scoring all


def best_rows(
    vectors: np.ndarray, queries: np.ndarray, k: int, *, among: Optional[np.ndarray] = None
) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each query its k best rows: positions (k,) int64 and scores (k,) float32, best first, then by position.

    All rows are scored in float32; those that rounding could bring among the best are scored again by exact
    arithmetic, so that a score depends on nothing but the two vectors, and equal rows have equal scores.

    Args:
        vectors: (N, D) float32, of length 1.
        queries: (Q, D) float32, of length 1.
        k: at least 1; fewer rows are returned where there are fewer.
        among: (N,) bool, rows that may be returned; None: all.
    """
    places: Optional[np.ndarray] = None
    if among is not None:
        places = np.flatnonzero(among)
        if len(places) < _GATHER_BELOW * len(vectors):
            vectors, among = vectors[places], None
    found = []
    for start in range(0, len(queries), QUERIES_AT_A_TIME):
        part = queries[start : start + QUERIES_AT_A_TIME]
        scores = _scores(vectors, part)  # (q, N)
        if among is not None:
            scores[:, ~among] = -np.inf
        for query, row in zip(part, scores):
            rows = _near_the_best(row, k)
            exact = dot_products(vectors[rows], query[None])[:, 0] if len(rows) else np.zeros(0, np.float32)
            order = np.argsort(-exact, kind='stable')[:k]
            rows = rows[order]
            found.append((rows if among is not None or places is None else places[rows], exact[order]))
    return found


def _scores(vectors: np.ndarray, queries: np.ndarray) -> np.ndarray:
    matrix, asked = torch.from_numpy(vectors), torch.from_numpy(np.ascontiguousarray(queries))
    if len(queries) == 1:
        return (matrix @ asked[0])[None].numpy()
    return (asked @ matrix.T).numpy()


def _near_the_best(scores: np.ndarray, k: int) -> np.ndarray:
    """Positions, ascending, of scores that are not below the k-th best by more than the margin."""
    allowed = scores > -np.inf
    if k < len(scores):
        kth = torch.from_numpy(scores).topk(k).values[-1].item()
        if kth > -np.inf:
            return np.flatnonzero(scores >= kth - MARGIN)
    return np.flatnonzero(allowed)
