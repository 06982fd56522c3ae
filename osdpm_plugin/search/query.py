"""Vectors of queries and of what is searched -> ranked matches. Pure functions.

Scores are the evaluation's: exact dot products, whose bits depend on nothing but the two vectors, or the similarity of
pairs. Of equal scores what was given first comes first.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Optional, Sequence

import numpy as np
import torch

from ..errors import ConfigError
from ..evaluation.exact_scores import chunks, score_matrix
from ..evaluation.pairwise_scores import PairScorer, score_pairs
from .index import ImageIndex
from .vectors import TextVector

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


def check_topk(topk: int) -> int:
    """The number of answers to a query.

    Raises:
        ConfigError: it is no positive int.
    """
    if isinstance(topk, bool) or not isinstance(topk, int) or topk < 1:
        raise ConfigError(f'topk must be an int of at least 1, got {topk!r}')
    return topk


def scores_of(index: ImageIndex, texts: Sequence[TextVector], scorer: Optional[PairScorer]) -> np.ndarray:
    """Every image against every text, (N, M) float32.

    Args:
        index: N images.
        texts: M texts.
        scorer: the similarity of a model that scores pairs; None: dot products.
    """
    embedding = np.stack([text.embedding for text in texts])
    if scorer is None:
        return dot_products(index.embedding, embedding)
    words = [text.words for text in texts if text.words is not None]
    return score_pairs(scorer, index.embedding, index.regions, embedding, words, chunk_size=_IMAGES_ON_DEVICE).numpy()


def dot_products(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(N, D), (M, D) float32 -> (N, M) float32, in blocks of N: exact arithmetic takes twice the memory of its rows."""
    right = torch.from_numpy(b)
    blocks = [score_matrix(torch.from_numpy(a[rows]), right) for rows in chunks(len(a), _IMAGES_AT_A_TIME)]
    return torch.cat(blocks).numpy()


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(N, D), (M, D) float32 -> (N, M) float32; 0 with a vector of zeros."""
    return dot_products(_unit(a), _unit(b))


def _unit(rows: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
    return (rows / np.where(norms > 0, norms, 1)).astype(np.float32)


def rank(scores: np.ndarray, items: np.ndarray, answers: Sequence[Any], topk: int) -> list[list[Match]]:
    """The matches of each query, best first, all where there are fewer than ``topk``.

    Args:
        scores: (Q, C) of Q queries and C candidates.
        items: (C,) int64, positions of the candidates among what was given, ascending.
        answers: C candidates.
        topk: number of answers.
    """
    return [
        [Match(r, float(row[c]), int(items[c]), answers[c]) for r, c in enumerate(order[:topk], start=1)]
        for row, order in zip(scores, np.argsort(-scores, axis=1, kind='stable'))
    ]


def rank_images(
    gallery: ImageIndex, texts: Sequence[TextVector], scorer: Optional[PairScorer], topk: int
) -> list[list[Match]]:
    """For each text the images of a gallery; arguments as in `scores_of` and `rank`."""
    return [
        matches
        for part in chunks(len(texts), _QUERIES_AT_A_TIME)
        for matches in rank(scores_of(gallery, texts[part], scorer).T, gallery.items, gallery.images, topk)
    ]


def rank_texts(
    images: ImageIndex, texts: Sequence[str], vectors: Sequence[TextVector], scorer: Optional[PairScorer], topk: int
) -> list[list[Match]]:
    """For each image the texts, whose vectors are given too; arguments as in `scores_of` and `rank`."""
    found = []
    for part in chunks(len(images.images), _QUERIES_AT_A_TIME):
        regions = None if images.regions is None else images.regions[part]
        scores = scores_of(images._replace(embedding=images.embedding[part], regions=regions), vectors, scorer)
        found += rank(scores, np.arange(len(texts)), texts, topk)
    return found


def rank_alike(images: ImageIndex, gallery: ImageIndex, topk: int) -> list[list[Match]]:
    """For each image those of a gallery, by the cosine of their embeddings; arguments as in `rank`."""
    return [
        matches
        for part in chunks(len(images.images), _QUERIES_AT_A_TIME)
        for matches in rank(cosines(gallery.embedding, images.embedding[part]).T, gallery.items, gallery.images, topk)
    ]
