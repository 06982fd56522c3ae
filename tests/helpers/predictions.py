"""Predictions as the metric receives them, with ragged captions, repeated captions and ids that are not positions."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.nn.functional import normalize

from osdpm_plugin.evaluation import summarise


def make_samples(images: int = 10, width: int = 12, seed: int = 0) -> list[dict[str, Any]]:
    """Data samples of ``images`` images in three groups, with 1 to 5 captions.

    Half of the captions are the one text of their group, and the last image looks like the first: ties both ways.
    """
    generator = torch.Generator().manual_seed(seed)
    shared = normalize(torch.randn(3, width, generator=generator), dim=1)
    samples, next_caption = [], 500
    for n in range(images):
        count = 1 + n % 5
        image = normalize(shared[n % 3] + 0.2 * torch.randn(width, generator=generator), dim=0)
        texts = normalize(image + 0.4 * torch.randn(count, width, generator=generator), dim=1)
        common = torch.rand(count, generator=generator) < 0.5
        texts[common] = shared[n % 3]
        ids = dict(image_id=(7 * n) % images * 3 + 100, caption_ids=np.arange(next_caption, next_caption + count))
        samples.append(dict(ids, image_embed=image, text_embed=texts))
        next_caption += count
    samples[-1]['image_embed'] = samples[0]['image_embed'].clone()
    return samples


def expected_metrics(samples: list[dict[str, Any]], rank: Any) -> dict[str, dict[str, float]]:
    """What `summarise` gives for the samples as they lie, ranked by ``rank``, a function of `ranking`."""
    owner = [sample['image_id'] for sample in samples for _ in sample['caption_ids']]
    images = torch.stack([sample['image_embed'] for sample in samples])
    texts = torch.cat([sample['text_embed'] for sample in samples])
    return summarise(rank(images, texts, [sample['image_id'] for sample in samples], owner))
