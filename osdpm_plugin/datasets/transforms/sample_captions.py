"""The captions of an image -> some of them, drawn for one training step."""

from __future__ import annotations

import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness

from ...registry import TRANSFORMS
from ...utils.checks import check_int
from ..text.caption_text import caption_key


@TRANSFORMS.register_module()
class SampleCaptions(BaseTransform):
    """Draw ``num`` different captions of the image, all of them if it has fewer.

    Args:
        num: captions to keep.
        distinct: draw only among captions of different text, so that no text is encoded twice. Some sets repeat the
            captions of an image (RSICD: 2.1 different ones of 5).

    Raises:
        ConfigError: ``num`` is not positive.
    """

    def __init__(self, *, num: int = 1, distinct: bool = False) -> None:
        self.num = check_int('SampleCaptions', 'num', num)
        self.distinct = distinct

    @cache_randomness
    def _choose(self, total: int) -> list[int]:
        return np.random.choice(total, min(self.num, total), replace=False).tolist()

    def transform(self, results: dict) -> dict:
        """Modify ``captions`` and ``caption_ids``."""
        captions = results['captions']
        if not captions:  # an image with labels alone
            return results
        candidates = list(range(len(captions)))
        if self.distinct:
            candidates = list({caption_key(caption): i for i, caption in reversed(list(enumerate(captions)))}.values())
        chosen = [candidates[i] for i in self._choose(len(candidates))]
        return {
            **results,
            'captions': [captions[i] for i in chosen],
            'caption_ids': [results['caption_ids'][i] for i in chosen],
        }
