"""An image -> the same, turned by a random multiple of 90 degrees: aerial images have no upper side."""

from __future__ import annotations

import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness

from ...registry import TRANSFORMS
from ...utils.checks import check_number
from .pixels import quarter_turned


@TRANSFORMS.register_module()
class RandomRotate90(BaseTransform):
    """With probability ``prob`` turn ``img`` (H, W, C) by 90, 180 or 270 degrees, equally likely; no pixel is
    interpolated.

    Args:
        prob: probability of a turn.

    Raises:
        ConfigError: ``prob`` is no probability.
    """

    def __init__(self, *, prob: float = 0.75) -> None:
        self.prob = check_number('RandomRotate90', 'prob', prob, least=0, most=1)

    @cache_randomness
    def _quarter_turns(self) -> int:
        return int(np.random.randint(1, 4)) if np.random.rand() < self.prob else 0

    def transform(self, results: dict) -> dict:
        """Modify ``img`` and ``img_shape``."""
        image = quarter_turned(results['img'], self._quarter_turns())
        return {**results, 'img': image, 'img_shape': image.shape[:2]}
