"""A retriever whose neck reads the objects of an image, found beforehand."""

from __future__ import annotations

from typing import Optional, Sequence, Union

import numpy as np
import torch
from torch import Tensor

from ...errors import ConfigError
from ...registry import MODELS
from ...structures import ImageFeatures, Regions, RetrievalDataSample, as_image_features
from .image_text_retriever import Images, ImageTextRetriever


def collate_regions(samples: Sequence[RetrievalDataSample], device: torch.device) -> Regions:
    """Join the regions of samples, padded to the greatest number among them, at least 1.

    Raises:
        ConfigError: a sample has none, or only some have features.
    """
    if not all('regions' in sample for sample in samples):
        raise ConfigError(
            "RegionRetriever: samples come without regions; put dict(type='LoadRegions', folder=...) before "
            'PackRetrievalInputs in the pipelines'
        )
    records = [sample.regions for sample in samples]
    if len({frozenset(record) for record in records}) > 1:
        raise ConfigError('RegionRetriever: some region files have features and some have not; make them all anew')
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


@MODELS.register_module()
class RegionRetriever(ImageTextRetriever):
    """`ImageTextRetriever` that hands the regions of `LoadRegions` to its neck in ``ImageFeatures.regions``."""

    reads_regions = True

    def forward(
        self, inputs: Images, data_samples: Optional[Sequence[RetrievalDataSample]] = None, mode: str = 'tensor'
    ) -> Union[dict, list, tuple]:
        """As `ImageTextRetriever.forward`.

        Raises:
            ConfigError: there are no samples, or they come without regions.
        """
        if not data_samples:
            raise ConfigError('RegionRetriever: images need data_samples, which hold their regions')
        features = inputs if isinstance(inputs, ImageFeatures) else as_image_features(self.image_tower(inputs))
        regions = collate_regions(data_samples, features.maps[0].device)
        return super().forward(features._replace(regions=regions), data_samples, mode)
