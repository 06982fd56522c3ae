"""A gallery -> its scores and ranks, by dot products of embeddings or by a similarity of pairs."""

from __future__ import annotations

from functools import cached_property
from typing import Optional, Protocol

import numpy as np
import torch
from torch import Tensor

from ..errors import MetricError
from .content_positives import content_ranks_from_embeddings, content_ranks_from_scores
from .exact_scores import score_matrix
from .pairwise_scores import PairScorer, score_pairs
from .ranking import RetrievalRanks, ranks_from_embeddings, ranks_from_scores
from .records import PredictedGallery


class GalleryScores(Protocol):
    """Scores of N images and M captions, and the ranks by them."""

    def matrix(self) -> np.ndarray:
        """(N, M) float32, the scores that are ranked."""

    def ranks(self) -> RetrievalRanks:
        """Counts by ids."""

    def content_ranks(self, caption_keys: np.ndarray) -> RetrievalRanks:
        """Counts by content, see `content_positives`."""


class DotProductScores:
    """Exact dot products of the embeddings; the whole matrix is made only on request.

    Args:
        gallery: images and captions.
        chunk_size: images and captions per block.
    """

    def __init__(self, gallery: PredictedGallery, chunk_size: int) -> None:
        self.gallery = gallery
        self.chunk_size = chunk_size

    def matrix(self) -> np.ndarray:
        """See `GalleryScores.matrix`."""
        image, text = torch.from_numpy(self.gallery.image_embed), torch.from_numpy(self.gallery.text_embed)
        return score_matrix(image, text, chunk_size=self.chunk_size).numpy()

    def ranks(self) -> RetrievalRanks:
        """See `GalleryScores.ranks`."""
        gallery = self.gallery
        embed, ids = (gallery.image_embed, gallery.text_embed), (gallery.image_ids, gallery.caption_image_ids)
        return ranks_from_embeddings(*embed, *ids, caption_ids=gallery.caption_ids, chunk_size=self.chunk_size)

    def content_ranks(self, caption_keys: np.ndarray) -> RetrievalRanks:
        """See `GalleryScores.content_ranks`."""
        gallery = self.gallery
        embed, ids = (gallery.image_embed, gallery.text_embed), (gallery.image_ids, gallery.caption_image_ids)
        return content_ranks_from_embeddings(*embed, *ids, caption_keys, chunk_size=self.chunk_size)


class SimilarityScores:
    """Scores of pairs, computed once. Captions of equal tokens are scored once and share their scores, so that they
    tie.

    Args:
        gallery: images and captions, with the words of the captions.
        scorer: the model's similarity.
        chunk_size: images and captions per block.
    """

    def __init__(self, gallery: PredictedGallery, scorer: PairScorer, chunk_size: int) -> None:
        self.gallery = gallery
        self.scorer = scorer
        self.chunk_size = chunk_size

    @cached_property
    def scores(self) -> Tensor:
        """(N, M) float32 on the CPU."""
        gallery, words = self.gallery, self.gallery.text_words or []
        scored, place = np.unique(gallery.text_groups, return_inverse=True)  # positions of captions to score
        scores = score_pairs(
            self.scorer,
            gallery.image_embed,
            gallery.image_regions,
            gallery.text_embed[scored],
            [words[i] for i in scored],
            chunk_size=self.chunk_size,
        )
        return scores[:, torch.from_numpy(place.reshape(-1))]

    def matrix(self) -> np.ndarray:
        """See `GalleryScores.matrix`."""
        return self.scores.numpy()

    def ranks(self) -> RetrievalRanks:
        """See `GalleryScores.ranks`."""
        ids = self.gallery.image_ids, self.gallery.caption_image_ids
        return ranks_from_scores(self.scores, *ids, caption_ids=self.gallery.caption_ids, chunk_size=self.chunk_size)

    def content_ranks(self, caption_keys: np.ndarray) -> RetrievalRanks:
        """See `GalleryScores.content_ranks`."""
        ids = self.gallery.image_ids, self.gallery.caption_image_ids
        return content_ranks_from_scores(self.scores, *ids, caption_keys, chunk_size=self.chunk_size)


def score_gallery(gallery: PredictedGallery, scorer: Optional[PairScorer], chunk_size: int) -> GalleryScores:
    """The scores of the model: of pairs if its predictions hold words, else of embeddings.

    Args:
        gallery: images and captions.
        scorer: the similarity of the model, if it needs pairs.
        chunk_size: images and captions per block.

    Raises:
        MetricError: the model scores pairs, but its similarity is missing.
    """
    if gallery.text_words is None:
        return DotProductScores(gallery, chunk_size)
    if scorer is None:
        raise MetricError(
            "the model scores pairs, but its similarity did not reach the metric; add dict(type='PairwiseScoringHook') "
            'to custom_hooks'
        )
    return SimilarityScores(gallery, scorer, chunk_size)
