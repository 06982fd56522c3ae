"""Words of a text tower -> words and captions in the joint space; the text side of `RegionNeck`."""

from __future__ import annotations

from typing import Optional

import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import nn

from ...registry import MODELS
from ...structures import TextFeatures
from .linear_neck import xavier_linear


@MODELS.register_module()
class WordProjection(BaseModule):
    """Words and pooled vector -> the same linear layer -> (L2).

    Args:
        embed_dims: D of the joint space.
        in_channels: C of the tower; None where it is D already, and nothing is to be learned.
        normalize: divide each word and the pooled vector by its L2 norm.
    """

    def __init__(
        self,
        *,
        embed_dims: int,
        in_channels: Optional[int] = None,
        normalize: bool = True,
        init_cfg: Optional[dict] = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.embed_dims = embed_dims
        self.normalize = normalize
        self.linear = nn.Identity() if in_channels is None else xavier_linear(in_channels, embed_dims)

    def forward(self, features: TextFeatures) -> TextFeatures:
        """TextFeatures (M, T, C) -> TextFeatures: words (M, T, D), zero where there is padding, and pooled (M, D)."""
        words, pooled = self.linear(features.words), self.linear(features.pooled)
        if self.normalize:
            words, pooled = F.normalize(words, dim=-1), F.normalize(pooled, dim=-1)
        return TextFeatures(words=words.masked_fill(~features.mask[..., None], 0.0), mask=features.mask, pooled=pooled)
