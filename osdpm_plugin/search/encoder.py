"""Batches of images, and texts -> their vectors, as the evaluation of a retriever computes them."""

from __future__ import annotations

from typing import Any, NamedTuple, Optional, Union

import numpy as np
import torch
from mmengine.config import Config
from mmengine.runner import autocast
from torch import Tensor

from ..datasets.config_views import hook_of, test_pipeline
from ..datasets.text.cut_captions import warn_of_cut
from ..errors import ConfigError
from ..evaluation.pairwise_scores import TILE, PairScorer, check_tile
from ..models.retrievers import ImageTextRetriever
from ..utils.checks import check_int
from .fingerprint import embedding_key, weights_stamp
from .image_pipeline import ImagePipeline, build_tokenizer
from .inputs import ArrayOrder, Texts, as_texts
from .prompts import mean_of_prompts, prompted, templates_of


class Vector(NamedTuple):
    """One image or one text, with all that a similarity needs of it.

    Attributes:
        embedding: (D,) float32.
        parts: (P, D) float32, the regions of an image or the words of a text; None for models whose scores are dot
            products, and for images whose neck gives no regions.
    """

    embedding: np.ndarray
    parts: Optional[np.ndarray] = None


class Encoder:
    """Vectors of images and texts, by the test pipeline of a config and in the precision of its test loop.

    Args:
        model: retriever in evaluation mode.
        cfg: its config; ``test_cfg.fp16`` is the precision, a `PairwiseScoringHook` gives the tile, ``prompts`` what
            texts are put into, see `prompts`.
        array_order: of the colours of images in memory, see `ImagePipeline`.

    Attributes:
        pipeline: image -> item of a batch.
        tokenizer: M texts -> (M, T) int64.
        settings: config of the model, for the key.
        templates: P sentences with ``{}``; none: texts stay as they are.

    Raises:
        ConfigError: the model is no retriever, its test pipeline reads no images or no texts, or ``prompts`` does not
            fit.
    """

    def __init__(self, model: Any, cfg: Config, *, array_order: ArrayOrder = 'bgr') -> None:
        if not isinstance(model, ImageTextRetriever):
            raise ConfigError(
                f'a model of type {type(model).__name__} is no retriever of images and texts; name a config whose '
                'model is an ImageTextRetriever'
            )
        steps = test_pipeline(cfg)
        self.pipeline = ImagePipeline(steps=steps, array_order=array_order)
        self.tokenizer = build_tokenizer(steps)
        self.model = model
        self.indexable: bool = model.similarity.indexable
        self.templates = templates_of(cfg.get('prompts'))
        if len(self.templates) > 1 and not self.indexable:
            raise ConfigError(
                f'prompts has {len(self.templates)} sentences, whose vectors are averaged, but '
                f'{type(model.similarity).__name__} scores pairs of image and text; name one sentence'
            )
        self.half = bool((cfg.get('test_cfg') or {}).get('fp16', False))
        self.tile = check_tile(hook_of(cfg, 'PairwiseScoringHook').get('tile', TILE))
        self.settings = cfg.model.to_dict()
        self._key, self._stamp = '', ()  # the stamp is of the weights that the key is of

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.model.data_preprocessor.device

    @property
    def key(self) -> str:
        """Of model, weights, transforms and precision, see `embedding_key`; made anew once the weights have changed."""
        precision = f'half on {self.device.type}' if self.half else 'float32'  # half is another type on each device
        stamp = (precision, *weights_stamp(self.model))
        if stamp != self._stamp:
            steps = self.pipeline.settings
            self._key = embedding_key(self.model, settings=self.settings, steps=steps, precision=precision)
            self._stamp = stamp
        return self._key

    def scorer(self, texts: int) -> Optional[PairScorer]:
        """The similarity of a model that scores pairs; None where dot products do.

        Args:
            texts: number to be scored; a tile need not be wider.
        """
        if self.indexable:
            return None
        return PairScorer(self.model.similarity, self.device, (self.tile[0], min(self.tile[1], texts)))

    @torch.no_grad()
    def images(self, batch: dict) -> list[Vector]:
        """Vectors of B images.

        Args:
            batch: ``inputs`` (B, 3, H, W) uint8, and ``data_samples``, which hold regions where the neck reads them.
        """
        data = self.model.data_preprocessor(batch)
        with autocast(enabled=self.half):
            output = self.model.embed_images(self.model.with_regions(data['inputs'], data.get('regions')))
        embedding = output.embedding.float().cpu().numpy()
        if self.indexable or output.regions is None:
            return [Vector(row) for row in embedding]
        return [Vector(*row) for row in zip(embedding, output.regions.float().cpu().numpy())]

    def texts(self, texts: Texts, *, batch_size: int) -> list[Vector]:
        """Vectors of one text or several, in their prompts where the config has some; equal tokens share one.

        Raises:
            ConfigError: there are no texts, one has no words, or ``batch_size`` is out of range.
        """
        texts = as_texts(texts)
        check_int('', 'batch_size', batch_size)
        tokens = self.tokenizer(texts)  # (M, T)
        for text, row in zip(texts, tokens):
            if (row == getattr(self.tokenizer, 'pad_token_id', None)).all():
                raise ConfigError(f'the text {text!r} has no word; write a few')
        if self.templates:
            texts = prompted(texts, self.templates)
            tokens = self.tokenizer(texts)  # (M P, T)
        warn_of_cut(self.tokenizer, texts, 'texts')
        unique, place = np.unique(tokens, axis=0, return_inverse=True)
        vectors = [vector for rows in torch.from_numpy(unique).split(batch_size) for vector in self.tokens(rows)]
        found = [vectors[i] for i in place.reshape(-1)]
        if len(self.templates) < 2:
            return found
        means = mean_of_prompts(np.stack([vector.embedding for vector in found]), len(self.templates))
        return [Vector(row) for row in means]

    @torch.no_grad()
    def tokens(self, tokens: Union[Tensor, np.ndarray]) -> list[Vector]:
        """Vectors of a batch of M texts.

        Args:
            tokens: (M, T) int64.
        """
        with autocast(enabled=self.half):
            texts = self.model.embed_texts(torch.as_tensor(tokens, device=self.device))
        embedding = texts.pooled.float().cpu().numpy()
        if self.indexable:
            return [Vector(row) for row in embedding]
        words, mask = texts.words.float().cpu().numpy(), texts.mask.cpu().numpy()
        return [Vector(row, w[m]) for row, w, m in zip(embedding, words, mask)]
