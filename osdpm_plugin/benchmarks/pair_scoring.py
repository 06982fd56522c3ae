"""How long it takes to score all pairs, against the loops of the methods' released evaluation code.

Those loops cut images and captions into shards. For each pair of shards both towers run again (AMFMN, GaLR); then each
caption is scored by itself against all images of the shard (SCAN, CAMP).
"""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.config import Config
from torch import Tensor

from ..evaluation.exact_scores import chunks
from ..evaluation.pairwise_scores import PairScorer, score_pairs
from ..models.backbones import WordEmbedding
from ..registry import MODELS, TASK_UTILS
from ..structures import NeckOutput, TextFeatures

WORDS = tuple(f'word{i}' for i in range(500))


class Timing(NamedTuple):
    """One comparison.

    Attributes:
        features_s: seconds of the towers, once over images and captions.
        scores_s: seconds of `score_pairs`.
        naive_s: seconds of the loops.
        greatest_difference: between a score of the one and of the other.
    """

    features_s: float
    scores_s: float
    naive_s: float
    greatest_difference: float

    @property
    def ratio(self) -> float:
        """How many times longer the loops take."""
        return self.naive_s / (self.features_s + self.scores_s)


@torch.no_grad()
def naive_scores(model: Any, images: Tensor, tokens: Tensor, shard: int) -> Tensor:
    """The loops: towers for each pair of shards, then one caption at a time.

    Args:
        model: an `ImageTextRetriever` in eval mode.
        images: (N, 3, H, W) normalised.
        tokens: (M, T) int64.
        shard: images and captions of a shard; 128 in SCAN's code, 256 in AMFMN's.

    Returns:
        (N, M) float32 on the CPU.
    """
    scores = torch.empty(len(images), len(tokens))
    for rows in chunks(len(images), shard):
        for cols in chunks(len(tokens), shard):
            seen, texts = model.perceive(images[rows]), model.read(tokens[cols])
            for i in range(cols.stop - cols.start):
                length = max(1, int(texts.mask[i].sum()))
                one = TextFeatures(texts.words[i, None, :length], texts.mask[i, None, :length], texts.pooled[i, None])
                scores[rows, cols.start + i] = model.score(seen, one).squeeze(1).float().cpu()
    return scores


@torch.no_grad()
def fast_scores(model: Any, images: Tensor, tokens: Tensor, batch: int) -> tuple[Tensor, float]:
    """Towers once, then `score_pairs`.

    Returns:
        scores: (N, M) float32 on the CPU.
        features_s: seconds until the features were there.
    """
    start = time.perf_counter()
    seen = [model.perceive(images[part]) for part in chunks(len(images), batch)]
    read = [model.read(tokens[part]) for part in chunks(len(tokens), batch)]
    embed, regions = _rows([s.embedding for s in seen]), _regions(seen)
    pooled = _rows([t.pooled for t in read])
    words = [w[m].float().cpu().numpy() for t in read for w, m in zip(t.words, t.mask)]
    features_s = time.perf_counter() - start
    scorer = PairScorer(model.similarity, images.device)
    return score_pairs(scorer, embed, regions, pooled, words, chunk_size=2048), features_s


def compare_scoring(model: Any, images: Tensor, tokens: Tensor, *, shard: int = 128, batch: int = 64) -> Timing:
    """Time both on the same inputs, one after the other, after a warm-up of both.

    Args:
        model: an `ImageTextRetriever`.
        images: (N, 3, H, W) normalised.
        tokens: (M, T) int64.
        shard: of the loops.
        batch: images or captions per call of a tower.
    """
    model.eval()
    fast_scores(model, images[:2], tokens[:2], batch)
    naive_scores(model, images[:2], tokens[:2], shard)
    start = time.perf_counter()
    fast, features_s = fast_scores(model, images, tokens, batch)
    middle = time.perf_counter()
    naive = naive_scores(model, images, tokens, shard)
    end = time.perf_counter()
    difference = float((fast - naive).abs().max())
    return Timing(features_s, middle - start - features_s, end - middle, difference)


def time_scoring(
    cfg: Config, *, images: int = 100, captions: int = 500, size: int = 256, shard: int = 128, device: str = 'cpu'
) -> Timing:
    """`compare_scoring` of the model of a config, on noise and made-up captions.

    Args:
        cfg: config of a retriever.
        images: N.
        captions: M.
        size: side of an image in pixels.
        shard: of the loops.
        device: of the model.
    """
    model = MODELS.build(cfg.model).to(device)
    for module in model.modules():
        if isinstance(module, WordEmbedding):
            module.set_vocabulary(WORDS)
    rng = np.random.default_rng(0)
    texts = [' '.join(rng.choice(WORDS, rng.integers(5, 21))) for _ in range(captions)]
    steps = cfg.test_dataloader.dataset.pipeline
    tokenizer = next(step.tokenizer for step in steps if step.type == 'TokenizeCaptions')
    tokens = torch.from_numpy(TASK_UTILS.build(tokenizer)(texts)).to(device)
    pixels = torch.from_numpy(rng.standard_normal((images, 3, size, size), dtype=np.float32)).to(device)
    return compare_scoring(model, pixels, tokens, shard=shard)


def _rows(parts: list[Tensor]) -> np.ndarray:
    return torch.cat(parts).float().cpu().numpy()


def _regions(seen: list[NeckOutput]) -> Any:
    parts = [s.regions for s in seen if s.regions is not None]
    return _rows(parts) if parts else None
