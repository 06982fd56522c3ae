"""All pairs of images and captions -> their scores, against the loops of the methods' published evaluation code.

These loops cut images and captions into shards, and there are two kinds. The loop of AMFMN, GaLR and MTFN runs both
towers again for each pair of shards and scores the pair at once. The loop of SCAN and CAMP runs the towers once, then
scores each caption alone against all images of a shard.
"""

from __future__ import annotations

import itertools
import time
from typing import Any, Optional

import numpy as np
import torch
from mmengine.config import Config
from torch import Tensor

from ...datasets.config_views import test_pipeline
from ...evaluation.exact_scores import chunks
from ...evaluation.pairwise_scores import PairScorer, score_pairs
from ...models.backbones import WordEmbedding
from ...models.comparison.camp import CrossModalMessagePassing
from ...models.comparison.scan import StackedCrossAttention
from ...registry import MODELS
from ...search.image_pipeline import build_tokenizer
from ...structures import TextFeatures
from .report import comparison
from .timing import Pairs, min_median_max, rounds

CONFIG = 'configs/comparison/scan_t2i_rsicd.py'
WORDS = tuple(f'word{i}' for i in range(500))


def runs_towers_again(model: Any) -> bool:
    """Whether a model is compared with AMFMN's loop; otherwise with SCAN's."""
    return not isinstance(model.similarity, (StackedCrossAttention, CrossModalMessagePassing))


@torch.no_grad()
def naive_scores(model: Any, images: Tensor, tokens: Tensor, shard: int, *, towers_again: bool) -> Tensor:
    """Scores (N, M) float32 on the CPU by the loops of published code.

    Args:
        model: an `ImageTextRetriever` in eval mode.
        images: (N, 3, H, W) normalised.
        tokens: (M, T) int64.
        shard: images and captions of a shard; 128 in SCAN's code, 256 in AMFMN's.
        towers_again: run the towers for each pair of shards, and score it at once; otherwise run them once, shard by
            shard, and score each caption alone.
    """
    scores = torch.empty(len(images), len(tokens))
    rows, cols = list(chunks(len(images), shard)), list(chunks(len(tokens), shard))
    if towers_again:
        for row, col in itertools.product(rows, cols):
            seen, texts = model.embed_images(images[row]), model.embed_texts(tokens[col])
            scores[row, col] = model.score(seen, texts).float().cpu()
        return scores
    embedded = [(col, model.embed_texts(tokens[col])) for col in cols]
    for row in rows:
        seen = model.embed_images(images[row])
        for col, texts in embedded:
            for i in range(col.stop - col.start):
                length = max(1, int(texts.mask[i].sum()))
                one = TextFeatures(texts.words[i, None, :length], texts.mask[i, None, :length], texts.pooled[i, None])
                scores[row, col.start + i] = model.score(seen, one).squeeze(1).float().cpu()
    return scores


@torch.no_grad()
def fast_scores(model: Any, images: Tensor, tokens: Tensor, batch: int) -> tuple[Tensor, float]:
    """Towers once, then `score_pairs`: (N, M) float32 on the CPU, and the seconds of the towers."""
    start = time.perf_counter()
    seen = [model.embed_images(images[part]) for part in chunks(len(images), batch)]
    texts = [model.embed_texts(tokens[part]) for part in chunks(len(tokens), batch)]
    regions = [s.regions for s in seen if s.regions is not None]
    features = _rows([s.embedding for s in seen]), _rows(regions) if regions else None, _rows([t.pooled for t in texts])
    words = [w[m].float().cpu().numpy() for t in texts for w, m in zip(t.words, t.mask)]
    features_s = time.perf_counter() - start
    return score_pairs(PairScorer(model.similarity, images.device), *features, words, chunk_size=2048), features_s


def compare_scoring(
    model: Any, images: Tensor, tokens: Tensor, *, repeats: int, shard: int = 128, batch: int = 64, device: str = 'cpu'
) -> dict[str, Any]:
    """Time both on the same inputs in turns, after a warm-up of both on two images and captions, see `naive_scores`.

    Returns:
        a row of `report.comparison`. ``features_s``: median seconds of our towers, which take ``batch`` images or
        captions a call. ``greatest_difference``: between scores of the two sides.
    """
    model.eval()
    again = runs_towers_again(model)
    features_s: list[float] = []
    found: dict[str, Tensor] = {}

    def ours(count: Optional[int] = None) -> None:
        found['ours'], seconds = fast_scores(model, images[:count], tokens[:count], batch)
        features_s.append(seconds)

    def theirs(count: Optional[int] = None) -> None:
        found['theirs'] = naive_scores(model, images[:count], tokens[:count], shard, towers_again=again)

    ours(2)
    theirs(2)
    pairs = Pairs(*rounds((ours, theirs), repeats=repeats, warm_up=0, device=device))
    return comparison(
        what=f'scores of {len(images)} x {len(tokens)}, {type(model.similarity).__name__}',
        ours='towers once, pairs in tiles',
        theirs='towers for each pair of shards' if again else 'towers once, captions one by one',
        pairs=pairs,
        goal=None,
        details=dict(
            features_s=min_median_max(features_s[1:]).median,
            greatest_difference=float((found['ours'] - found['theirs']).abs().max()),
            towers_again=again,
            shard=shard,
        ),
    )


def score_noise(
    cfg: Config,
    *,
    repeats: int,
    images: int = 100,
    captions: int = 500,
    size: int = 256,
    shard: int = 128,
    device: str = 'cpu',
) -> dict[str, Any]:
    """`compare_scoring` of the model of a config, on noise of ``size`` pixels a side and made-up captions."""
    model = MODELS.build(cfg.model).to(device)
    for module in model.modules():
        if isinstance(module, WordEmbedding):
            module.set_vocabulary(WORDS)
    rng = np.random.default_rng(0)
    texts = [' '.join(rng.choice(WORDS, rng.integers(5, 21))) for _ in range(captions)]
    tokens = torch.from_numpy(build_tokenizer(test_pipeline(cfg))(texts)).to(device)
    pixels = torch.from_numpy(rng.standard_normal((images, 3, size, size), dtype=np.float32)).to(device)
    return compare_scoring(model, pixels, tokens, repeats=repeats, shard=shard, device=device)


def _rows(parts: list[Tensor]) -> np.ndarray:
    return torch.cat(parts).float().cpu().numpy()
