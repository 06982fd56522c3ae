"""Samples of a batch -> their captions, and their regions, on the model's device."""

from __future__ import annotations

from typing import Sequence, Union

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ...errors import ConfigError
from ...structures import CaptionBatch, Regions, RetrievalDataSample, TextFeatures


def collate_captions(samples: Sequence[RetrievalDataSample], device: torch.device) -> CaptionBatch:
    """Join the captions of a batch of samples on ``device``.

    Returns:
        texts are tokens (0, T) where no image has captions, also of cached features.

    Raises:
        ConfigError: there are no samples, or their captions were not tokenized.
    """
    if not samples:
        raise ConfigError('the batch has no data_samples; end the pipeline with PackRetrievalInputs')
    image_ids = [sample.image_id for sample in samples]
    counts = [len(sample.caption_ids) for sample in samples]
    captioned = [sample for sample, count in zip(samples, counts) if count]
    objects = np.stack([s.object_counts for s in samples]) if all('object_counts' in s for s in samples) else None

    def join(key: str) -> Tensor:
        return torch.from_numpy(np.concatenate([s.get(key) for s in captioned])).to(device)

    texts: Union[Tensor, TextFeatures]
    if not captioned:
        length = samples[0].tokens.shape[1] if 'tokens' in samples[0] else 3
        texts = torch.zeros(0, length, dtype=torch.int64, device=device)
    elif all('tower_pooled' in sample for sample in captioned):
        words = [torch.from_numpy(sample.tower_words).transpose(0, 1) for sample in captioned]  # (T, K, C) each
        padded = torch.cat([F.pad(w, (0, 0, 0, 0, 0, max(map(len, words)) - len(w))) for w in words], dim=1)
        texts = TextFeatures(
            words=padded.transpose(0, 1).to(device),
            mask=torch.arange(len(padded), device=device) < join('tower_lengths')[:, None],
            pooled=join('tower_pooled'),
        )
    elif all('tokens' in sample for sample in captioned):
        texts = join('tokens')
    else:
        raise ConfigError('the captions have no tokens; put TokenizeCaptions before PackRetrievalInputs')
    return CaptionBatch(
        texts=texts,
        image_ids=torch.tensor(image_ids, device=device),
        caption_image_ids=torch.tensor(np.repeat(image_ids, counts), device=device),
        caption_keys=join('caption_keys') if captioned else torch.zeros(0, dtype=torch.int64, device=device),
        object_counts=None if objects is None else torch.from_numpy(objects).to(device),
        captioned=None if all(counts) else torch.tensor([count > 0 for count in counts], device=device),
        labels=[sample.get('labels') or {} for sample in samples],
    )


def collate_regions(samples: Sequence[RetrievalDataSample], device: torch.device) -> Regions:
    """Join the regions of samples, padded to the greatest number among them, at least 1.

    Raises:
        ConfigError: a sample has none, or only some have features.
    """
    if not all('regions' in sample for sample in samples):
        raise ConfigError(
            "some samples come without regions; put dict(type='LoadRegions', folder=...) before PackRetrievalInputs in "
            'all pipelines, or in none'
        )
    records = [sample.regions for sample in samples]
    if len({frozenset(record) for record in records}) > 1:
        raise ConfigError('some region files have features and some have not; make them all anew')
    length = max(1, *(len(record['scores']) for record in records))

    def join(key: str) -> Tensor:
        rows = [record[key] for record in records]
        return torch.from_numpy(
            np.stack([np.pad(r, [(0, length - len(r))] + [(0, 0)] * (r.ndim - 1)) for r in rows])
        ).to(device)

    counts = torch.tensor([len(record['scores']) for record in records], device=device)
    return Regions(
        boxes=join('boxes'),
        scores=join('scores'),
        mask=torch.arange(length, device=device) < counts[:, None],
        labels=join('labels'),
        features=join('features') if 'features' in records[0] else None,
    )
