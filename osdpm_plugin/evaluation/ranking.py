"""Scores and ids -> for each query the three counts that decide its rank under every rule for ties.

A query is a hit at K if its best positive is within the first K, so only the tie group of the best positive matters:
``above`` negatives score strictly higher, and the group of ``tied`` candidates holds ``pos`` positives. Counting needs
one pass over the scores in blocks and no sort.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Callable, NamedTuple, Optional, Union

import numpy as np
import torch
from torch import Tensor

from ..errors import MetricError
from ..utils.checks import check_int
from .exact_scores import ExactScores, chunks

Ids = Union[Sequence[int], np.ndarray, Tensor]
CHUNK_SIZE = 2048


class QueryRanks(NamedTuple):
    """One direction of retrieval, Q queries in the order in which they were given.

    Attributes:
        above: (Q,) int64 on the CPU, candidates that score strictly more than the best positive (all are negatives).
        tied: (Q,) int64, candidates that score the same as the best positive, itself and other positives included.
        pos: (Q,) int64, positives among ``tied``, at least 1.
    """

    above: Tensor
    tied: Tensor
    pos: Tensor


class RetrievalRanks(NamedTuple):
    """Both directions.

    Attributes:
        i2t: queries are the N images, candidates the M captions.
        t2i: queries are the M captions, candidates the N images.
    """

    i2t: QueryRanks
    t2i: QueryRanks


@torch.no_grad()
def ranks_from_scores(
    scores: Union[Tensor, np.ndarray],
    image_ids: Ids,
    caption_image_ids: Ids,
    *,
    caption_ids: Optional[Ids] = None,
    chunk_size: int = CHUNK_SIZE,
) -> RetrievalRanks:
    """Rank by a given score matrix, e.g. of a model that scores pairs; scores are compared in their own dtype.

    Args:
        scores: (N, M), higher is better, on any device.
        image_ids: (N,) ints, unique.
        caption_image_ids: (M,) ints, the image of each caption.
        caption_ids: (M,) ints that name captions in messages; positions by default.
        chunk_size: images and captions compared at a time.

    Raises:
        MetricError: shapes or ids do not fit each other, or scores are not finite.
        ConfigError: ``chunk_size`` is not a whole number of at least 1.

    Example:
        >>> scores = torch.tensor([[0.9, 0.2, 0.2], [0.3, 0.8, 0.2]])
        >>> ranks = ranks_from_scores(scores, image_ids=[7, 5], caption_image_ids=[7, 5, 5])
        >>> ranks.t2i.above.tolist(), ranks.t2i.tied.tolist()  # the third caption ties with the wrong image
        ([0, 0, 0], [1, 1, 2])
    """
    scores = torch.as_tensor(scores)
    if scores.ndim != 2:
        raise MetricError(f'scores must be an (images, captions) matrix, got shape {tuple(scores.shape)}')
    owner = owners(image_ids, caption_image_ids, tuple(scores.shape))
    check_int('ranks_from_scores', 'chunk_size', chunk_size)
    _check_scores(scores, image_ids, caption_ids, chunk_size)
    own_scores = scores[owner.to(scores.device), torch.arange(scores.shape[1], device=scores.device)]
    return _count(lambda rows, cols: scores[rows, cols], own_scores, owner, len(scores), chunk_size)


@torch.no_grad()
def ranks_from_embeddings(
    image_embed: Union[Tensor, np.ndarray],
    text_embed: Union[Tensor, np.ndarray],
    image_ids: Ids,
    caption_image_ids: Ids,
    *,
    caption_ids: Optional[Ids] = None,
    chunk_size: int = CHUNK_SIZE,
) -> RetrievalRanks:
    """Rank by exact dot products (see `exact_scores`): equal rows tie for every chunk size and device.

    Memory in addition to the inputs: 8 (N + M) D bytes for the embeddings in float64, and about 13 chunk_size**2 for a
    block.

    Args:
        image_embed: (N, D), any floating dtype, on the device to compute on. L2-normalise it for cosines.
        text_embed: (M, D), likewise.
        image_ids: ids as for `ranks_from_scores`, likewise ``caption_image_ids`` and ``caption_ids``.
        chunk_size: images and captions per block; changes speed and memory, never a number.

    Raises:
        MetricError: shapes or ids do not fit each other, or embeddings are not finite.
        ConfigError: ``chunk_size`` is not a whole number of at least 1.
    """
    image_embed, text_embed = torch.as_tensor(image_embed), torch.as_tensor(text_embed)
    matrices = image_embed.ndim == text_embed.ndim == 2
    if not (matrices and image_embed.shape[1] == text_embed.shape[1] > 0):
        raise MetricError(
            'embeddings must be (images, D) and (captions, D) matrices of one D, got shapes '
            f'{tuple(image_embed.shape)} and {tuple(text_embed.shape)}'
        )
    owner = owners(image_ids, caption_image_ids, (len(image_embed), len(text_embed)))
    check_int('ranks_from_embeddings', 'chunk_size', chunk_size)
    check_finite(image_embed, image_ids, 'image')
    check_finite(text_embed, range(len(text_embed)) if caption_ids is None else caption_ids, 'caption')
    scores = ExactScores(image_embed, text_embed)
    own_scores = scores.pairs(owner.to(image_embed.device), chunk_size)
    return _count(scores.block, own_scores, owner, len(image_embed), chunk_size)


def owners(image_ids: Ids, caption_image_ids: Ids, shape: tuple[int, ...]) -> Tensor:
    """Position (M,) int64 of each caption's image, on the CPU.

    Args:
        image_ids: (N,) ints, unique.
        caption_image_ids: (M,) ints, each of them in ``image_ids``; every image has a caption.
        shape: (N, M) that the ids must fit.

    Raises:
        MetricError: an id breaks a rule; the sentence names the first one.
    """
    ids, captions = _id_array(image_ids, 'image_ids'), _id_array(caption_image_ids, 'caption_image_ids')
    if (len(ids), len(captions)) != shape:
        raise MetricError(
            f'{len(ids)} image ids and {len(captions)} captions do not fit {shape[0]} x {shape[1]} scores'
        )
    if not len(ids) or not len(captions):
        raise MetricError(f'nothing to rank: {len(ids)} images and {len(captions)} captions')
    order = np.argsort(ids, kind='stable')
    ordered = ids[order]
    repeated = ordered[1:][ordered[1:] == ordered[:-1]]
    if len(repeated):
        raise MetricError(f'{len(repeated)} image ids are repeated, the first is {repeated[0]}; keep one row per image')
    place = np.searchsorted(ordered, captions).clip(max=len(ids) - 1)
    strange = captions[ordered[place] != captions]
    if len(strange):
        raise MetricError(
            f'{len(strange)} captions belong to images that are not ranked, the first to image '
            f'{strange[0]}; give every image of the captions'
        )
    owner = order[place]
    bare = ids[np.bincount(owner, minlength=len(ids)) == 0]
    if len(bare):
        raise MetricError(
            f'{len(bare)} of {len(ids)} images have no caption, the first is image {bare[0]}; '
            'leave them out or give their captions'
        )
    return torch.from_numpy(owner)


def check_finite(rows: Tensor, ids: Ids, kind: str) -> None:
    """Raise MetricError if a row (R, D) is not finite, with how many are not and the first of their ids."""
    bad = (~torch.isfinite(rows).all(dim=1)).nonzero().flatten().tolist()
    if bad:
        first = _id_array(ids, f'{kind}_ids')[bad[0]]
        raise MetricError(
            f'{len(bad)} of {len(rows)} {kind} embeddings are NaN or infinite, the first of {kind} id '
            f'{first}; look at the loss of the last iterations or evaluate in float32'
        )


def _id_array(ids: Ids, name: str) -> np.ndarray:
    array = ids.detach().cpu().numpy() if isinstance(ids, Tensor) else np.asarray(ids)
    if array.size == 0:
        return np.zeros(0, dtype=np.int64)
    if array.ndim != 1 or array.dtype.kind not in 'iu':
        raise MetricError(f'{name} must be a flat list of ints, got shape {array.shape} of {array.dtype}')
    return array.astype(np.int64)


def _check_scores(scores: Tensor, image_ids: Ids, caption_ids: Optional[Ids], chunk_size: int) -> None:
    count, first = 0, None
    for rows in chunks(len(scores), chunk_size):
        for cols in chunks(scores.shape[1], chunk_size):
            bad = ~torch.isfinite(scores[rows, cols])
            found = int(bad.sum())
            count += found
            if found and first is None:
                row, col = bad.nonzero()[0].tolist()
                first = rows.start + row, cols.start + col
    if first is not None:
        image = _id_array(image_ids, 'image_ids')[first[0]]
        caption = first[1] if caption_ids is None else _id_array(caption_ids, 'caption_ids')[first[1]]
        raise MetricError(
            f'{count} of {scores.numel()} scores are NaN or infinite, the first of image id {image} with '
            f'caption id {caption}'
        )


def _count(
    block: Callable[[slice, slice], Tensor], own_scores: Tensor, owner: Tensor, images: int, chunk_size: int
) -> RetrievalRanks:
    """Count candidates that score higher than or the same as the best positive of each query.

    Args:
        block: gives the scores (n, m) of a range of images and a range of captions.
        own_scores: (M,) score of each caption with its own image, the same bits as in the blocks.
        owner: (M,) int64 on the CPU, position of the image of each caption.
    """
    device, captions = own_scores.device, len(owner)
    own = own_scores.cpu()
    best = own.new_zeros(images).scatter_reduce(0, owner, own, 'amax', include_self=False)  # (N,)
    positives = torch.bincount(owner[own == best[owner]], minlength=images)
    best = best.to(device)
    image_above, image_reach = (torch.zeros(images, dtype=torch.int64, device=device) for _ in range(2))
    text_above, text_reach = (torch.zeros(captions, dtype=torch.int64, device=device) for _ in range(2))
    for rows in chunks(images, chunk_size):
        for cols in chunks(captions, chunk_size):
            scores = block(rows, cols)
            image_above[rows] += (scores > best[rows, None]).sum(dim=1, dtype=torch.int32)
            image_reach[rows] += (scores >= best[rows, None]).sum(dim=1, dtype=torch.int32)
            text_above[cols] += (scores > own_scores[cols]).sum(dim=0, dtype=torch.int32)
            text_reach[cols] += (scores >= own_scores[cols]).sum(dim=0, dtype=torch.int32)
    i2t = QueryRanks(image_above.cpu(), (image_reach - image_above).cpu(), positives)
    t2i = QueryRanks(text_above.cpu(), (text_reach - text_above).cpu(), torch.ones(captions, dtype=torch.int64))
    return RetrievalRanks(i2t, t2i)
