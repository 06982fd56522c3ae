"""Captions -> (K, T) int64 token ids."""

from __future__ import annotations

from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from ...registry import TASK_UTILS, TRANSFORMS

MOST_CACHED = 2**16  # captions; 40 MB of CLIP's tokens


@TRANSFORMS.register_module()
class TokenizeCaptions(BaseTransform):
    """Add ``tokens`` (K, T) int64 for the K captions; the tokens of each text are cached.

    Each worker process of a loader has a cache of its own, which lasts as long as the process: longer than an epoch
    only with ``persistent_workers`` or without workers.

    Args:
        tokenizer: config of a tokenizer, e.g. ``dict(type='OpenCLIPTokenizer', model='ViT-B-32')``. It must be the text
            tower's own.
    """

    def __init__(self, *, tokenizer: Any) -> None:
        self.tokenizer = TASK_UTILS.build(tokenizer)
        self._rows: dict[str, np.ndarray] = {}

    def transform(self, results: dict) -> dict:
        """Add ``tokens``."""
        captions = list(results['captions'])
        if len(self._rows) >= MOST_CACHED:
            self._rows.clear()
        new = [caption for caption in dict.fromkeys(captions) if caption not in self._rows]
        if new or not captions:
            tokens = self.tokenizer(new)
            self._rows.update(zip(new, tokens))
        return {**results, 'tokens': np.stack([self._rows[c] for c in captions]) if captions else tokens}
