"""Features of images and captions -> (N, M) scores of a similarity that needs the pair, block by block.

The towers have run once; what is left is the similarity. Every call scores one tile, ``tile[0]`` images against
``tile[1]`` captions, a last tile filled up with repetitions of its first row. Captions come in the order of their
lengths, and those of a tile are padded to its longest, so that little padding is scored. The bits of a score do not
depend on ``chunk_size``, which only says how many images wait on the device at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Optional

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from tqdm import tqdm

from ..errors import ConfigError, MetricError
from ..structures import NeckOutput, TextFeatures
from .exact_scores import chunks

Similarity = Callable[[NeckOutput, TextFeatures], Tensor]
TILE = (32, 64)
_SILENT_SECONDS = 5.0


class PairScorer(NamedTuple):
    """A similarity and how it is to be called.

    Attributes:
        similarity: NeckOutput of B images and TextFeatures of M captions -> (B, M).
        device: where it runs.
        tile: images and captions of a call. Memory grows with their product; the last bits of a score depend on it.
    """

    similarity: Similarity
    device: torch.device
    tile: tuple[int, int] = TILE


def check_tile(tile: Sequence[int]) -> tuple[int, int]:
    """The tile as a pair.

    Raises:
        ConfigError: it is no pair of positive ints.
    """
    if len(tile) != 2 or any(isinstance(n, bool) or not isinstance(n, int) or n < 1 for n in tile):
        raise ConfigError(f'tile={tile!r} must be the images and captions scored in one call, e.g. {TILE}')
    return tile[0], tile[1]


@torch.no_grad()
def score_pairs(
    scorer: PairScorer,
    image_embed: np.ndarray,
    image_regions: Optional[np.ndarray],
    text_embed: np.ndarray,
    text_words: Sequence[np.ndarray],
    *,
    chunk_size: int,
) -> Tensor:
    """Every image against every caption.

    Args:
        image_embed: (N, D) float32.
        image_regions: (N, R, D) float32, or None where the neck gives none.
        text_embed: (M, D) float32.
        text_words: for each caption (its words, D) float32.
        chunk_size: images on the device at a time, rounded up to whole tiles.

    Returns:
        (N, M) float32 on the CPU.

    Raises:
        MetricError: the similarity returns something else than a score for each pair.
    """
    images, captions = len(image_embed), len(text_embed)
    rows, cols = scorer.tile
    order = np.argsort([len(words) for words in text_words], kind='stable')
    held = -(-chunk_size // rows) * rows
    scores = torch.empty(images, captions, dtype=torch.float32)
    tiles = -(-images // rows) * -(-captions // cols)
    progress = tqdm(total=tiles, desc='scoring pairs', unit='block', delay=_SILENT_SECONDS)
    for chunk in chunks(images, held):
        embed = torch.from_numpy(image_embed[chunk]).to(scorer.device)
        regions = None if image_regions is None else torch.from_numpy(image_regions[chunk]).to(scorer.device)
        for texts in chunks(captions, cols):
            taken = order[texts]
            features = _text_tile(text_embed[taken], [text_words[i] for i in taken], cols, scorer.device)
            for part in chunks(len(embed), rows):
                own_regions = None if regions is None else _filled(regions[part], rows)
                tile = scorer.similarity(NeckOutput.of(_filled(embed[part], rows), regions=own_regions), features)
                if tuple(tile.shape) != (rows, cols):
                    raise MetricError(
                        f'the similarity returned {tuple(tile.shape)} scores for {rows} images and {cols} captions; it '
                        'must score every image against every caption'
                    )
                own = slice(chunk.start + part.start, chunk.start + part.stop)
                scores[own, torch.from_numpy(taken)] = tile[: part.stop - part.start, : len(taken)].float().cpu()
                progress.update()
    progress.close()
    return scores


def _text_tile(embed: np.ndarray, words: Sequence[np.ndarray], captions: int, device: torch.device) -> TextFeatures:
    """At most ``captions`` captions -> exactly so many, padded to the longest of them."""
    lengths = torch.tensor([len(w) for w in words])
    stem = torch.zeros(1, words[0].shape[1])  # one word at least
    padded = pad_sequence([stem, *map(torch.from_numpy, words)], batch_first=True)[1:]  # (m, T, D)
    mask = torch.arange(padded.shape[1]) < lengths[:, None]
    return TextFeatures(
        words=_filled(padded.to(device), captions),
        mask=_filled(mask.to(device), captions),
        pooled=_filled(torch.from_numpy(embed).to(device), captions),
    )


def _filled(rows: Tensor, count: int) -> Tensor:
    """Repeat the first row until there are ``count``."""
    missing = count - len(rows)
    return rows if missing == 0 else torch.cat([rows, rows[:1].expand(missing, *rows.shape[1:])])
