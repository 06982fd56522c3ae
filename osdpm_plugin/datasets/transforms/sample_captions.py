"""Choose some of an image's captions for one training step."""

from __future__ import annotations

import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness

from ...errors import ConfigError
from ...registry import TRANSFORMS


@TRANSFORMS.register_module()
class SampleCaptions(BaseTransform):
    """Draw ``num`` different captions of the image, all of them where it has fewer.

    Args:
        num: captions to keep.

    Raises:
        ConfigError: ``num`` is not positive.
    """

    def __init__(self, *, num: int = 1) -> None:
        if num < 1:
            raise ConfigError(f'SampleCaptions: num must be at least 1, got {num}')
        self.num = num

    @cache_randomness
    def _choose(self, total: int) -> list[int]:
        return np.random.choice(total, min(self.num, total), replace=False).tolist()

    def transform(self, results: dict) -> dict:
        """Modify ``captions`` and ``caption_ids``."""
        chosen = self._choose(len(results['captions']))
        return {
            **results,
            'captions': [results['captions'][i] for i in chosen],
            'caption_ids': [results['caption_ids'][i] for i in chosen],
        }
