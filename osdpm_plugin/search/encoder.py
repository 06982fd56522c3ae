"""A retriever -> the vectors of batches of images and of texts, as its evaluation computes them."""

from __future__ import annotations

from typing import Any, Optional

import numpy as np
import torch
from mmengine.config import Config
from mmengine.runner import autocast

from ..errors import ConfigError
from ..evaluation.pairwise_scores import TILE, PairScorer, check_tile
from ..models.retrievers import ImageTextRetriever
from .vectors import ImageVector, TextVector


class Encoder:
    """Vectors of images and texts, in the precision of the config's test loop.

    Args:
        model: retriever in evaluation mode.
        cfg: its config; ``test_cfg.fp16`` is the precision, a `PairwiseScoringHook` gives the tile.

    Raises:
        ConfigError: the model is no retriever.
    """

    def __init__(self, model: Any, cfg: Config) -> None:
        if not isinstance(model, ImageTextRetriever):
            raise ConfigError(
                f'a model of type {type(model).__name__} is no retriever of images and texts; name a config whose '
                'model is an ImageTextRetriever'
            )
        self.model = model
        self.indexable: bool = model.similarity.indexable
        self.half = bool((cfg.get('test_cfg') or {}).get('fp16', False))
        hooks = [hook for hook in cfg.get('custom_hooks') or () if hook.get('type') == 'PairwiseScoringHook']
        self.tile = check_tile(hooks[0].get('tile', TILE) if hooks else TILE)

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.model.data_preprocessor.device

    @property
    def precision(self) -> str:
        """Name of the precision, for a fingerprint; half precision is another type on each kind of device."""
        return f'half on {self.device.type}' if self.half else 'float32'

    def scorer(self, texts: int) -> Optional[PairScorer]:
        """The similarity of a model that scores pairs; None where dot products do.

        Args:
            texts: number to be scored; a tile need not be wider.
        """
        if self.indexable:
            return None
        return PairScorer(self.model.similarity, self.device, (self.tile[0], min(self.tile[1], texts)))

    @torch.no_grad()
    def images(self, batch: dict) -> list[ImageVector]:
        """Vectors of B images.

        Args:
            batch: ``inputs`` (B, 3, H, W) uint8, and ``data_samples``, which hold regions where the neck reads them.
        """
        data = self.model.data_preprocessor(batch)
        with autocast(enabled=self.half):
            output = self.model.embed_images(self.model.with_regions(data['inputs'], data.get('regions')))
        embedding = output.embedding.float().cpu().numpy()
        if self.indexable or output.regions is None:
            return [ImageVector(row) for row in embedding]
        return [ImageVector(row, regions) for row, regions in zip(embedding, output.regions.float().cpu().numpy())]

    @torch.no_grad()
    def texts(self, tokens: np.ndarray) -> list[TextVector]:
        """Vectors of M texts.

        Args:
            tokens: (M, T) int64.
        """
        with autocast(enabled=self.half):
            texts = self.model.embed_texts(torch.from_numpy(tokens).to(self.device))
        embedding = texts.pooled.float().cpu().numpy()
        if self.indexable:
            return [TextVector(row) for row in embedding]
        words, mask = texts.words.float().cpu().numpy(), texts.mask.cpu().numpy()
        return [TextVector(row, w[m]) for row, w, m in zip(embedding, words, mask)]
