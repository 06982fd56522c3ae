"""The captions of an image -> (O,) the share of them that name each object category."""

from __future__ import annotations

from typing import Optional

import numpy as np
from mmcv.transforms import BaseTransform

from ...registry import TRANSFORMS
from ..lexicon import Lexicon


@TRANSFORMS.register_module()
class CountObjects(BaseTransform):
    """Add ``object_counts`` (O,) float32: the share of the image's captions that name each category of the lexicon;
    zeros for an image without captions.

    Put it before `SampleCaptions`, so that it counts over all captions of the image, and only in training pipelines.
    Each image is counted once; the result is cached.

    Args:
        lexicon: path of a lexicon file or name of a shipped one, see `Lexicon.from_file`; None: the English one.
    """

    def __init__(self, *, lexicon: Optional[str] = None) -> None:
        self.lexicon = Lexicon.default() if lexicon is None else Lexicon.from_file(lexicon)
        self._shares: dict[tuple[str, ...], np.ndarray] = {}

    def transform(self, results: dict) -> dict:
        """Add ``object_counts``."""
        captions = tuple(results['captions'])
        if captions not in self._shares:
            self._shares[captions] = self.lexicon.count(captions).astype(np.float32) / max(len(captions), 1)
        return {**results, 'object_counts': self._shares[captions]}
