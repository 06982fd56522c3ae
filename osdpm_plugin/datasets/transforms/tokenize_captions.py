"""Captions -> token ids."""

from __future__ import annotations

from typing import Any

from mmcv.transforms import BaseTransform

from ...registry import TASK_UTILS, TRANSFORMS


@TRANSFORMS.register_module()
class TokenizeCaptions(BaseTransform):
    """Add ``tokens`` (K, T) int64 for the K captions.

    Args:
        tokenizer: config of a tokenizer, e.g. ``dict(type='OpenCLIPTokenizer', model='ViT-B-32')``. It must be the text
            tower's own.
    """

    def __init__(self, *, tokenizer: Any) -> None:
        self.tokenizer = TASK_UTILS.build(tokenizer)

    def transform(self, results: dict) -> dict:
        """Add ``tokens``."""
        return {**results, 'tokens': self.tokenizer(list(results['captions']))}
