"""Queries and what they are put to -> matches: joins encoder, pipeline, tokenizer, cache and ranking."""

from __future__ import annotations

import os
from typing import Any, Callable, Literal, Mapping, Optional, Sequence, Union

import numpy as np

from ..datasets.text.cut_captions import warn_of_cut
from ..errors import ConfigError
from ..evaluation.exact_scores import chunks
from .encoder import Encoder
from .fingerprint import embedding_key, weights_stamp
from .image_pipeline import ImagePipeline
from .index import ImageIndex, IndexBuilder, check_batch_size
from .inputs import ImageInputs, Texts, Unreadable, as_images, as_texts
from .query import Match, check_topk, rank_alike, rank_images, rank_texts
from .vectors import TextVector

Gallery = Union[ImageIndex, ImageInputs]
Task = Literal['text_to_image', 'image_to_text', 'image_to_image']
TASKS = ('text_to_image', 'image_to_text', 'image_to_image')


class Searcher:
    """Search with a model; see `RetrievalInferencer`, which makes one of a config and a checkpoint.

    Args:
        encoder: of the model.
        pipeline: image -> what the model takes.
        tokenizer: M texts -> (M, T) int64.
        settings: config of the model.
        cache: folder that keeps embeddings of images, or None.
        unreadable: ``raise`` an error for an image or folder of a gallery that cannot be read, or ``skip`` it.
        show_progress: draw a bar on standard error while images are embedded.
    """

    def __init__(
        self,
        *,
        encoder: Encoder,
        pipeline: ImagePipeline,
        tokenizer: Callable[[Sequence[str]], np.ndarray],
        settings: Mapping[str, Any],
        cache: Union[str, os.PathLike, None],
        unreadable: Unreadable,
        show_progress: bool,
    ) -> None:
        self.encoder = encoder
        self.pipeline = pipeline
        self.tokenizer = tokenizer
        self.settings = settings
        self.cache = cache
        self.unreadable = unreadable
        self.show_progress = show_progress
        self._key = ''
        self._stamp: Optional[tuple] = None  # of the weights that `_key` is of

    @property
    def key(self) -> str:
        """Of model, weights, transforms and precision, see `embedding_key`; made anew once the weights have changed."""
        precision = self.encoder.precision
        stamp = (precision, weights_stamp(self.encoder.model))
        if stamp != self._stamp:
            self._key = embedding_key(
                self.encoder.model, settings=self.settings, steps=self.pipeline.settings, precision=precision
            )
            self._stamp = stamp
        return self._key

    def index(self, images: ImageInputs, *, batch_size: int, unreadable: Optional[Unreadable] = None) -> ImageIndex:
        """Embed images, or read their vectors from the cache.

        Args:
            images: see `RetrievalInferencer`.
            batch_size: images a step.
            unreadable: instead of the searcher's own.

        Raises:
            ConfigError: a value is out of range.
            DataError: there are no images, or one cannot be read; with ``skip``, none can.
            MetricError: embeddings are not finite.
        """
        unreadable = unreadable or self.unreadable
        builder = IndexBuilder(
            pipeline=self.pipeline,
            encode=self.encoder.images,
            key=self.key,
            cache=self.cache,
            batch_size=batch_size,
            unreadable=unreadable,
            show_progress=self.show_progress,
        )
        return builder.build(as_images(images, unreadable=unreadable))

    def embed_texts(self, texts: Texts, *, batch_size: int) -> list[TextVector]:
        """Vectors of texts; texts of equal tokens share one.

        Raises:
            ConfigError: there are no texts, one has no words, or ``batch_size`` is out of range.
        """
        texts = as_texts(texts)
        check_batch_size(batch_size)
        tokens = self.tokenizer(texts)  # (M, T)
        warn_of_cut(self.tokenizer, texts, 'texts')
        padding = getattr(self.tokenizer, 'pad_token_id', None)
        for text, row in zip(texts, tokens):
            if (row == padding).all():
                raise ConfigError(f'the text {text!r} has no word; write a few')
        unique, place = np.unique(tokens, axis=0, return_inverse=True)
        vectors = [v for rows in chunks(len(unique), batch_size) for v in self.encoder.texts(unique[rows])]
        return [vectors[i] for i in place.reshape(-1)]

    def check_queries(self, task: Task, queries: Any, *, batch_size: int) -> None:
        """Find out what is wrong with queries before a gallery is embedded for them.

        Args:
            task: one of `TASKS`.
            queries: texts or images.
            batch_size: texts a step.

        Raises:
            ConfigError: a text is blank, or the model cannot compare images.
            DataError: an image cannot be read.
        """
        if task == 'text_to_image':
            self.embed_texts(queries, batch_size=batch_size)
            return
        if task == 'image_to_image':
            self._check_comparable()
        for image in as_images(queries):
            self.pipeline(image)

    def search(self, task: Task, queries: Any, candidates: Any, topk: int, batch_size: int) -> list[list[Match]]:
        """Matches of each query.

        Args:
            task: one of `TASKS`.
            queries: texts or images.
            candidates: images, an `ImageIndex`, or texts.
            topk: answers to each query; all, where there are fewer candidates.
            batch_size: images or texts a step.

        Raises:
            ConfigError: ``task`` is unknown or not for this model, a text is blank, a gallery was indexed by another
                model, or a number is out of range.
            DataError: there are no images, or one cannot be read.
        """
        if task not in TASKS:
            raise ConfigError(f'task must be one of {", ".join(TASKS)}, got {task!r}')
        check_topk(topk)
        check_batch_size(batch_size)
        if task == 'text_to_image':
            vectors = self.embed_texts(queries, batch_size=batch_size)
            gallery = self._gallery(candidates, batch_size)
            return rank_images(gallery, vectors, self.encoder.scorer(len(vectors)), topk)
        if task == 'image_to_text':
            texts = as_texts(candidates)
            vectors = self.embed_texts(texts, batch_size=batch_size)
            images = self.index(queries, batch_size=batch_size, unreadable='raise')
            return rank_texts(images, texts, vectors, self.encoder.scorer(len(texts)), topk)
        self._check_comparable()
        images = self.index(queries, batch_size=batch_size, unreadable='raise')
        return rank_alike(images, self._gallery(candidates, batch_size), topk)

    def _check_comparable(self) -> None:
        if not self.encoder.indexable:
            name = type(self.encoder.model.similarity).__name__
            raise ConfigError(
                f'{name} scores pairs of image and text, so that it cannot compare two images; take a model with an '
                'indexable similarity'
            )

    def _gallery(self, gallery: Gallery, batch_size: int) -> ImageIndex:
        if not isinstance(gallery, ImageIndex):
            return self.index(gallery, batch_size=batch_size)
        if gallery.key != self.key:
            raise ConfigError('the gallery was indexed by another model or pipeline; make it anew with index(images)')
        return gallery
