"""Scores and texts -> counts where an identical caption of another image is a hit too: a secondary number.

Remote-sensing data sets repeat captions across images ("many buildings are in a residential area"). The protocol of the
literature counts such a caption as wrong unless the data set lists it under the query image. Here relevance is decided
by content: caption m is relevant to image n, and image n to caption m, if any caption of n has the same normalised text
as m. Own captions are always relevant, so the hits of the protocol are hits here too.
"""

from __future__ import annotations

from typing import Callable, Union

import numpy as np
import torch
from torch import Tensor

from ..errors import MetricError
from ..utils.checks import check_int
from .exact_scores import ExactScores, chunks
from .ranking import CHUNK_SIZE, Ids, QueryRanks, RetrievalRanks, owners

Block = Callable[[slice, slice], Tensor]


@torch.no_grad()
def content_ranks_from_scores(
    scores: Union[Tensor, np.ndarray],
    image_ids: Ids,
    caption_image_ids: Ids,
    caption_keys: Union[np.ndarray, Tensor],
    *,
    chunk_size: int = CHUNK_SIZE,
) -> RetrievalRanks:
    """Counts as `ranks_from_scores` gives them, with relevance by content.

    Args:
        scores: (N, M) finite.
        image_ids: (N,) ints, unique.
        caption_image_ids: (M,) ints, the image of each caption.
        caption_keys: (M,) int64, equal for equal normalised texts.
        chunk_size: images and captions compared at a time.

    Raises:
        MetricError: shapes or ids do not fit each other.
        ConfigError: ``chunk_size`` is not a whole number of at least 1.
    """
    scores = torch.as_tensor(scores)
    owner = owners(image_ids, caption_image_ids, tuple(scores.shape))
    return _count(lambda rows, cols: scores[rows, cols], owner, caption_keys, len(scores), chunk_size)


@torch.no_grad()
def content_ranks_from_embeddings(
    image_embed: Union[Tensor, np.ndarray],
    text_embed: Union[Tensor, np.ndarray],
    image_ids: Ids,
    caption_image_ids: Ids,
    caption_keys: Union[np.ndarray, Tensor],
    *,
    chunk_size: int = CHUNK_SIZE,
) -> RetrievalRanks:
    """Counts as `ranks_from_embeddings` gives them, with relevance by content.

    Args:
        image_embed: (N, D) finite.
        text_embed: (M, D) finite.
        image_ids: see `content_ranks_from_scores`, likewise the other arguments and what is raised.
    """
    image_embed, text_embed = torch.as_tensor(image_embed), torch.as_tensor(text_embed)
    owner = owners(image_ids, caption_image_ids, (len(image_embed), len(text_embed)))
    block = ExactScores(image_embed, text_embed).block
    return _count(block, owner, caption_keys, len(image_embed), chunk_size)


def _count(
    block: Block, owner: Tensor, caption_keys: Union[np.ndarray, Tensor], images: int, chunk_size: int
) -> RetrievalRanks:
    """Two passes over the blocks: the best relevant score of each query, then the candidates above and equal."""
    check_int('content positives', 'chunk_size', chunk_size)
    captions = len(owner)
    keys = np.asarray(caption_keys)
    if keys.shape != (captions,):
        raise MetricError(f'caption_keys {keys.shape} do not fit {captions} captions')
    text = torch.from_numpy(np.unique(keys, return_inverse=True)[1].reshape(-1))  # (M,) number of the text
    texts = int(text.max()) + 1

    def blocks(rows: slice) -> list[tuple[slice, Tensor, Tensor]]:
        """(captions, scores (n, m), relevance (n, m)) of a range of images."""
        mine = (owner >= rows.start) & (owner < rows.stop)
        says = torch.zeros(rows.stop - rows.start, texts, dtype=torch.bool)  # (n, texts)
        says[owner[mine] - rows.start, text[mine]] = True
        return [(cols, block(rows, cols).cpu(), says[:, text[cols]]) for cols in chunks(captions, chunk_size)]

    lowest = -torch.inf
    image_best = text_best = torch.zeros(0)
    for rows in chunks(images, chunk_size):
        for cols, scores, relevant in blocks(rows):
            if not len(text_best):
                image_best, text_best = (scores.new_full((n,), lowest) for n in (images, captions))
            masked = scores.masked_fill(~relevant, lowest)
            image_best[rows] = image_best[rows].maximum(masked.amax(dim=1))
            text_best[cols] = text_best[cols].maximum(masked.amax(dim=0))

    i2t, t2i = (torch.zeros(3, n, dtype=torch.int64) for n in (images, captions))  # above, tied, pos
    for rows in chunks(images, chunk_size):
        for cols, scores, relevant in blocks(rows):
            for counts, part, best, dim in (
                (i2t, rows, image_best[rows, None], 1),
                (t2i, cols, text_best[None, cols], 0),
            ):
                tied = scores == best
                counts[0, part] += (scores > best).sum(dim=dim)
                counts[1, part] += tied.sum(dim=dim)
                counts[2, part] += (tied & relevant).sum(dim=dim)
    return RetrievalRanks(QueryRanks(*i2t), QueryRanks(*t2i))
