"""An npz file with the hits of each query -> arrays, from which intervals of differences are computed."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Union

import numpy as np

from ...errors import DataError

KEYS = ('topk', 'image_ids', 'i2t_hits', 'caption_ids', 'caption_image_ids', 't2i_hits')


class QueryHits(NamedTuple):
    """Hit probabilities under one rule for ties, sorted by id.

    Attributes:
        ties: the rule.
        topk: (Q,) int64, the K of R@K.
        image_ids: (N,) int64, ascending.
        i2t_hits: (N, Q) float32 in [0, 1], an image as query.
        caption_ids: (M,) int64, ascending.
        caption_image_ids: (M,) int64, the image of each caption.
        t2i_hits: (M, Q) float32 in [0, 1], a caption as query.
    """

    ties: str
    topk: np.ndarray
    image_ids: np.ndarray
    i2t_hits: np.ndarray
    caption_ids: np.ndarray
    caption_image_ids: np.ndarray
    t2i_hits: np.ndarray


def read_queries(path: Union[str, Path]) -> QueryHits:
    """Read the file that `ImageTextRecall(queries_file=...)` wrote.

    Raises:
        DataError: it is missing or damaged, or its shapes do not match.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            hits = QueryHits(str(arrays['ties']), *(arrays[key] for key in KEYS))
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, EOFError) as error:
        raise DataError(f'per-query file {path} cannot be read: {error}; run tools/test.py again') from error
    images, captions, width = len(hits.image_ids), len(hits.caption_ids), len(hits.topk)
    if (hits.i2t_hits.shape, hits.t2i_hits.shape) != ((images, width), (captions, width)):
        raise DataError(f'per-query file {path} holds arrays of shapes that do not match; run tools/test.py again')
    return hits


def sums_by_image(hits: QueryHits) -> tuple[np.ndarray, np.ndarray]:
    """Sums over the unit of resampling, an image with its captions.

    Returns:
        sums (N, 2Q) float64: hits of the image, then the sum of the hits of its captions; sizes (N, 2Q) float64: 1,
        then the number of its captions. Recall is ``sums.sum(0) / sizes.sum(0)``.
    """
    place = np.searchsorted(hits.image_ids, hits.caption_image_ids)
    width = len(hits.topk)
    captions = np.zeros((len(hits.image_ids), width))
    np.add.at(captions, place, hits.t2i_hits.astype(np.float64))
    counts = np.bincount(place, minlength=len(hits.image_ids)).astype(np.float64)
    sums = np.concatenate([hits.i2t_hits.astype(np.float64), captions], axis=1)
    sizes = np.concatenate([np.ones((len(counts), width)), np.repeat(counts[:, None], width, axis=1)], axis=1)
    return sums, sizes


def stack_queries(paths: Sequence[Union[str, Path]]) -> tuple[np.ndarray, np.ndarray, QueryHits]:
    """Sums of several runs on the same queries.

    Args:
        paths: per-query files, one for each seed.

    Returns:
        sums (S, N, 2Q), sizes (N, 2Q), and the content of the first file, for ids and K.

    Raises:
        DataError: the files are not of the same queries, rule and K.
    """
    read = [read_queries(path) for path in paths]
    first = read[0]
    for path, other in zip(paths, read):
        same = other.ties == first.ties and all(
            np.array_equal(getattr(other, key), getattr(first, key)) for key in KEYS if not key.endswith('hits')
        )
        if not same:
            raise DataError(
                f'{os.path.basename(paths[0])} and {path} are not of the same queries, rule for ties and K; '
                'evaluate both with the same data and metric'
            )
    sums = [sums_by_image(hits) for hits in read]
    return np.stack([one for one, _ in sums]), sums[0][1], first
