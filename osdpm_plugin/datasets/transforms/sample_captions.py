"""Choose some of an image's captions for one training step."""

from __future__ import annotations

import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness

from ...errors import ConfigError
from ...registry import TRANSFORMS
from ..text.caption_text import caption_key


@TRANSFORMS.register_module()
class SampleCaptions(BaseTransform):
    """Draw ``num`` different captions of the image, all of them where it has fewer.

    Args:
        num: captions to keep.
        distinct: draw among captions of different text only. Sets that repeat an image's captions (RSICD: 2.1
            different ones of 5) then cost the text side no more than they say.

    Raises:
        ConfigError: ``num`` is not positive.
    """

    def __init__(self, *, num: int = 1, distinct: bool = False) -> None:
        if num < 1:
            raise ConfigError(f'SampleCaptions: num must be at least 1, got {num}')
        self.num = num
        self.distinct = distinct

    @cache_randomness
    def _choose(self, total: int) -> list[int]:
        return np.random.choice(total, min(self.num, total), replace=False).tolist()

    def transform(self, results: dict) -> dict:
        """Modify ``captions`` and ``caption_ids``."""
        captions = results['captions']
        candidates = list(range(len(captions)))
        if self.distinct:
            candidates = list({caption_key(caption): i for i, caption in reversed(list(enumerate(captions)))}.values())
        chosen = [candidates[i] for i in self._choose(len(candidates))]
        return {
            **results,
            'captions': [captions[i] for i in chosen],
            'caption_ids': [results['caption_ids'][i] for i in chosen],
        }
