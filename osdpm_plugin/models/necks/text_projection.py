"""Pooled vector of a text tower -> (M, D), of unit length by default; the text side of `GlobalNeck`."""

from __future__ import annotations

from typing import Optional

import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor

from ...registry import MODELS
from ...structures import TextFeatures
from .global_neck import projection


@MODELS.register_module()
class TextProjection(BaseModule):
    """Pooled text vector -> vector of the joint space, of unit length by default.

    Args:
        embed_dims: D of the joint space.
        in_channels: width of the tower's pooled vector; None where it is in the joint space already (CLIP).
        adapter: refine a vector that is in the joint space already by a `ResidualAdapter`.
        normalize: divide by the L2 norm; without it only a similarity that is not ``indexable`` should read it.
    """

    reads_words = False  # the pooled vector alone, so that a cache of features need not deliver words

    def __init__(
        self,
        *,
        embed_dims: int,
        in_channels: Optional[int] = None,
        hidden_channels: int = 1024,
        dropout: float = 0.1,
        adapter: bool = False,
        normalize: bool = True,
        init_cfg: Optional[dict] = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.embed_dims = embed_dims
        self.normalize = normalize
        self.projection = projection(in_channels, embed_dims, hidden_channels, dropout, adapter, type(self).__name__)

    def forward(self, features: TextFeatures) -> Tensor:
        """TextFeatures of M captions -> (M, D)."""
        pooled = features.pooled if self.projection is None else self.projection(features.pooled)
        return F.normalize(pooled, dim=-1) if self.normalize else pooled
