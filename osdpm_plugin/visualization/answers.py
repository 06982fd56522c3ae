"""Embeddings with ids -> some queries with their ranked answers, as the evaluation ranks them.

Scores are exactly those of `osdpm_plugin.evaluation.score_matrix`. The evaluation averages over the possible orders of
tied scores, but a picture needs one order: of equal scores the lower id comes first, since ids do not depend on which
answers are right. Without ties, ranks here and in the evaluation are equal.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from ..evaluation import QueryRanks, ranks_from_embeddings, recall_at, score_matrix
from ..evaluation.embedded_split import EmbeddedSplit
from ..utils.checks import check_int

RECALL_AT = (1, 5, 10)


class Answer(NamedTuple):
    """One answer: an image or caption by its position in the split, its rank from 1, the dot product of the embeddings,
    and whether it belongs to the query, by id.
    """

    item: int
    rank: int
    score: float
    right: bool


class Query(NamedTuple):
    """One query with its answers.

    Attributes:
        item: position of the query in the split, of a caption or an image.
        rank_of_right: rank of the first right answer, from 1; may lie beyond ``answers``.
        answers: the first topk, best first.
    """

    item: int
    rank_of_right: int
    answers: tuple[Answer, ...]


class Retrieval(NamedTuple):
    """One direction.

    Attributes:
        queries: those chosen.
        drawn_from: number of queries from which they were chosen: all, or all misses.
        total: number of queries of the split.
        recall: percent at each K of `RECALL_AT`, over the whole split, as in the evaluation.
    """

    queries: tuple[Query, ...]
    drawn_from: int
    total: int
    recall: dict[int, float]


class Retrievals(NamedTuple):
    """Both directions, and how the queries were chosen.

    Attributes:
        t2i: captions are the queries, images the answers.
        i2t: images are the queries, captions the answers.
        only_misses: only queries whose right answer is not at rank 1 were chosen.
        seed: of the random choice.
    """

    t2i: Retrieval
    i2t: Retrieval
    only_misses: bool
    seed: int


def retrieve(
    split: EmbeddedSplit, *, queries: int = 4, topk: int = 5, seed: int = 0, only_misses: bool = False
) -> Retrievals:
    """Rank all answers and choose queries at random.

    Args:
        split: N images and M captions.
        queries: number of each direction; if there are fewer, all are used.
        topk: answers to each query; if there are fewer, all are used.
        seed: of the random choice, which depends on ids and not on the order of the split.
        only_misses: choose from the queries whose first right answer is not at rank 1.

    Raises:
        ConfigError: a number is out of range.
        MetricError: ids or embeddings of the split contradict each other.
    """
    for key, value, least in (('queries', queries, 1), ('topk', topk, 1), ('seed', seed, 0)):
        check_int('', key, value, least=least)
    images, texts = torch.from_numpy(split.image_embed), torch.from_numpy(split.text_embed)
    ids = split.image_ids, split.caption_image_ids
    ranks = ranks_from_embeddings(images, texts, *ids, caption_ids=split.caption_ids)  # checks ids and embeddings too
    scores = score_matrix(images, texts).numpy()  # (N, M)
    right = split.image_ids[:, None] == split.caption_image_ids  # (N, M)

    def chosen(number: int, way: QueryRanks, scores: np.ndarray, right: np.ndarray, *ids: np.ndarray) -> Retrieval:
        query_ids, answer_ids = ids
        order = rank_order(scores, answer_ids)
        first = np.take_along_axis(right, order, axis=1).argmax(axis=1) + 1  # (Q,) rank of the first right answer
        by_id = np.argsort(query_ids, kind='stable')
        candidates = by_id[first[by_id] > 1] if only_misses else by_id
        drawn = np.random.default_rng((seed, number)).permutation(candidates)[:queries]
        found = tuple(_query(int(q), int(first[q]), order[q, :topk], scores[q], right[q]) for q in drawn)
        return Retrieval(found, len(candidates), len(query_ids), {k: recall_at(way, k) for k in RECALL_AT})

    t2i = chosen(0, ranks.t2i, scores.T, right.T, split.caption_ids, split.image_ids)
    i2t = chosen(1, ranks.i2t, scores, right, split.image_ids, split.caption_ids)
    return Retrievals(t2i, i2t, only_misses, seed)


def rank_order(scores: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Finite scores (Q, C), unique ids (C,) -> positions (Q, C), best first; of equal scores the lower id first."""
    by_id = np.argsort(ids, kind='stable')
    return by_id[np.argsort(-scores[:, by_id], axis=1, kind='stable')]


def _query(item: int, rank_of_right: int, order: np.ndarray, scores: np.ndarray, right: np.ndarray) -> Query:
    answers = tuple(
        Answer(item=int(c), rank=rank, score=float(scores[c]), right=bool(right[c]))
        for rank, c in enumerate(order, start=1)
    )
    return Query(item, rank_of_right, answers)
