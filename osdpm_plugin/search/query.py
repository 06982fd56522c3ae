"""Vectors of queries and of what is searched -> ranked matches. Pure functions.

Scores are the evaluation's: exact dot products, whose bits depend on nothing but the two vectors, or the similarity of
pairs. Of equal scores what was given first comes first.
"""

from __future__ import annotations

from typing import Any, Callable, NamedTuple, Optional, Sequence

import numpy as np
import torch

from ..evaluation.exact_scores import chunks, score_matrix
from ..evaluation.pairwise_scores import PairScorer, score_pairs
from .encoder import Vector
from .index import ImageIndex

_QUERIES_AT_A_TIME = 256
_IMAGES_AT_A_TIME = 1 << 16
_IMAGES_ON_DEVICE = 256


class Match(NamedTuple):
    """One answer to a query.

    Attributes:
        rank: from 1.
        score: more is better; the cosine, for models of unit vectors.
        item: position among the images or texts that were given.
        answer: the image as it was given, a path as a string, or the text.
    """

    rank: int
    score: float
    item: int
    answer: Any


def rank_images(
    gallery: ImageIndex, texts: Sequence[Vector], scorer: Optional[PairScorer], topk: int
) -> list[list[Match]]:
    """For each text the images of a gallery; arguments as in `scores_of` and `rank`."""
    return rank(len(texts), lambda part: scores_of(gallery, texts[part], scorer).T, gallery.items, gallery.images, topk)


def rank_texts(
    images: ImageIndex, texts: Sequence[str], vectors: Sequence[Vector], scorer: Optional[PairScorer], topk: int
) -> list[list[Match]]:
    """For each image the texts, whose vectors are given too; arguments as in `scores_of` and `rank`."""

    def scores(part: slice) -> np.ndarray:
        regions = None if images.regions is None else images.regions[part]
        return scores_of(images._replace(embedding=images.embedding[part], regions=regions), vectors, scorer)

    return rank(len(images.images), scores, np.arange(len(texts)), texts, topk)


def rank_alike(images: ImageIndex, gallery: ImageIndex, topk: int) -> list[list[Match]]:
    """For each image those of a gallery, by the cosine of their embeddings; arguments as in `rank`."""
    asked, given = _unit(images.embedding), _unit(gallery.embedding)
    return rank(len(asked), lambda part: dot_products(given, asked[part]).T, gallery.items, gallery.images, topk)


def rank(
    queries: int, scores: Callable[[slice], np.ndarray], items: np.ndarray, answers: Sequence[Any], topk: int
) -> list[list[Match]]:
    """The matches of each query, best first, all where there are fewer than ``topk``.

    Args:
        queries: their number.
        scores: a part of the queries -> their scores (q, C) of all candidates; asked for part by part.
        items: (C,) int64, positions of the candidates among what was given, ascending.
        answers: C candidates.
        topk: number of answers.
    """
    found = []
    for part in chunks(queries, _QUERIES_AT_A_TIME):
        block = scores(part)
        for row, order in zip(block, np.argsort(-block, axis=1, kind='stable')[:, :topk]):
            found.append([Match(r, float(row[c]), int(items[c]), answers[c]) for r, c in enumerate(order, start=1)])
    return found


def scores_of(index: ImageIndex, texts: Sequence[Vector], scorer: Optional[PairScorer]) -> np.ndarray:
    """Every image against every text, (N, M) float32.

    Args:
        index: N images.
        texts: M texts.
        scorer: the similarity of a model that scores pairs; None: dot products.
    """
    embedding = np.stack([text.embedding for text in texts])
    if scorer is None:
        return dot_products(index.embedding, embedding)
    words = [text.parts for text in texts if text.parts is not None]
    return score_pairs(scorer, index.embedding, index.regions, embedding, words, chunk_size=_IMAGES_ON_DEVICE).numpy()


def dot_products(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(N, D), (M, D) float32 -> (N, M) float32, in blocks of N: exact arithmetic takes twice the memory of its rows."""
    right = torch.from_numpy(b)
    return torch.cat([score_matrix(rows, right) for rows in torch.from_numpy(a).split(_IMAGES_AT_A_TIME)]).numpy()


def _unit(rows: np.ndarray) -> np.ndarray:
    """Rows of length 1; those of zeros stay."""
    norms = np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
    return (rows / np.where(norms > 0, norms, 1)).astype(np.float32)
