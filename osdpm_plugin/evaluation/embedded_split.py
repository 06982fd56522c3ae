"""Predictions of a loop over a split -> `EmbeddedSplit`: its embeddings with ids, paths and captions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Optional

import numpy as np
from mmengine.evaluator import BaseMetric

from ..errors import ConfigError
from .records import ImagePrediction, gallery_of, merge_records, record_of

TOLERANCE = 1e-2  # the default of ImageTextRecall


class EmbeddedSplit(NamedTuple):
    """N images and their M captions.

    Attributes:
        image_ids: (N,) int64, unique.
        image_paths: N files.
        image_embed: (N, D) float32.
        caption_ids: (M,) int64, unique.
        caption_image_ids: (M,) int64, the image of each caption.
        captions: M texts.
        text_embed: (M, D) float32.
    """

    image_ids: np.ndarray
    image_paths: tuple[str, ...]
    image_embed: np.ndarray
    caption_ids: np.ndarray
    caption_image_ids: np.ndarray
    captions: tuple[str, ...]
    text_embed: np.ndarray


class EmbeddingCollector(BaseMetric):
    """Keeps the predictions of the test loop; computes no metrics."""

    def __init__(self, tolerance: float) -> None:
        super().__init__(prefix='embed')
        self.tolerance = tolerance
        self.split: Optional[EmbeddedSplit] = None
        self._records: list[ImagePrediction] = []
        self._paths: dict[int, str] = {}
        self._captions: dict[int, str] = {}

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep ids, embeddings, path and captions of a batch."""
        for sample in data_samples:
            record = record_of(sample)
            texts = sample.get('captions')
            if sample.get('img_path') is None or texts is None or len(texts) != len(record.caption_ids):
                raise ConfigError(
                    f'image id {record.image_id} comes without its path, or without the texts of its captions; end the '
                    'pipeline with PackRetrievalInputs'
                )
            self._records.append(record)
            self._paths[record.image_id] = str(sample['img_path'])
            self._captions.update(zip(record.caption_ids.tolist(), texts))

    def evaluate(self, size: int) -> dict:
        """Merge the records of all images into ``split``; returns no metrics."""
        gallery = gallery_of(merge_records(self._records, size, self.tolerance), self.tolerance)
        if gallery.text_words is not None:
            raise ConfigError(
                'the similarity of this model scores pairs, which dot products of embeddings cannot replace; take a '
                'model with an indexable similarity'
            )
        self.split = EmbeddedSplit(
            image_ids=gallery.image_ids,
            image_paths=tuple(self._paths[i] for i in gallery.image_ids.tolist()),
            image_embed=gallery.image_embed,
            caption_ids=gallery.caption_ids,
            caption_image_ids=gallery.caption_image_ids,
            captions=tuple(self._captions[i] for i in gallery.caption_ids.tolist()),
            text_embed=gallery.text_embed,
        )
        return {}

    def compute_metrics(self, results: list) -> dict:
        """None; see `evaluate`."""
        return {}
