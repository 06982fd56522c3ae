"""A gallery -> its scores and ranks, by dot products of embeddings or by a similarity of pairs."""

from __future__ import annotations

from typing import Any, Optional

import numpy as np
import torch
from torch import Tensor

from ..errors import MetricError
from .content_positives import content_ranks_from_embeddings, content_ranks_from_scores
from .exact_scores import score_matrix
from .pairwise_scores import PairScorer, score_pairs
from .ranking import RetrievalRanks, ranks_from_embeddings, ranks_from_scores
from .records import PredictedGallery


class GalleryScores:
    """Scores of N images and M captions: of pairs if the predictions hold words, else exact dot products of embeddings.

    Pairs are scored once, captions of equal tokens among them, so that these tie; the matrix of dot products is made
    only on request.

    Args:
        gallery: images and captions.
        scorer: the similarity of the model, if it needs pairs.
        chunk_size: images and captions per block.

    Raises:
        MetricError: the model scores pairs, but its similarity is missing.
    """

    def __init__(self, gallery: PredictedGallery, scorer: Optional[PairScorer], chunk_size: int) -> None:
        if gallery.text_words is not None and scorer is None:
            raise MetricError(
                'the model scores pairs, but its similarity did not reach the metric; add '
                "dict(type='PairwiseScoringHook') to custom_hooks"
            )
        self.chunk_size = chunk_size
        self._ids = gallery.image_ids, gallery.caption_image_ids
        self._caption_ids = gallery.caption_ids
        self._embed = torch.from_numpy(gallery.image_embed), torch.from_numpy(gallery.text_embed)
        self._pairs = None if scorer is None else _score_pairs(gallery, scorer, chunk_size)

    def matrix(self) -> np.ndarray:
        """(N, M) float32, the scores that are ranked."""
        return (score_matrix(*self._embed, chunk_size=self.chunk_size) if self._pairs is None else self._pairs).numpy()

    def ranks(self) -> RetrievalRanks:
        """Counts by ids."""
        rest: dict[str, Any] = dict(caption_ids=self._caption_ids, chunk_size=self.chunk_size)
        if self._pairs is None:
            return ranks_from_embeddings(*self._embed, *self._ids, **rest)
        return ranks_from_scores(self._pairs, *self._ids, **rest)

    def content_ranks(self, caption_keys: np.ndarray) -> RetrievalRanks:
        """Counts by content, see `content_positives`."""
        if self._pairs is None:
            return content_ranks_from_embeddings(*self._embed, *self._ids, caption_keys, chunk_size=self.chunk_size)
        return content_ranks_from_scores(self._pairs, *self._ids, caption_keys, chunk_size=self.chunk_size)


def _score_pairs(gallery: PredictedGallery, scorer: PairScorer, chunk_size: int) -> Optional[Tensor]:
    """(N, M) float32 on the CPU; None where the predictions hold no words."""
    words = gallery.text_words
    if words is None:
        return None
    scored, place = np.unique(gallery.text_groups, return_inverse=True)  # positions of captions to score
    scores = score_pairs(
        scorer,
        gallery.image_embed,
        gallery.image_regions,
        gallery.text_embed[scored],
        [words[i] for i in scored],
        chunk_size=chunk_size,
    )
    return scores[:, torch.from_numpy(place.reshape(-1))]
