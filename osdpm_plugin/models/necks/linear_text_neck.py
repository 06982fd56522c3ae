"""One layer from a text tower to the joint space, as methods before attention had."""

from __future__ import annotations

from typing import Optional

import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor

from ...registry import MODELS
from ...structures import TextFeatures
from ...utils.checks import check_one_of
from .linear_neck import ACTIVATIONS, xavier_linear


@MODELS.register_module()
class LinearTextNeck(BaseModule):
    """Pooled text vector -> linear -> activation -> (L2).

    Args:
        in_channels: C of the tower's pooled vector.
        embed_dims: D of the joint space.
        activation: ``none``, ``relu`` or ``tanh``.
        normalize: divide by the L2 norm; without it only a similarity that is not ``indexable`` should read it.

    Raises:
        ConfigError: ``activation`` is unknown.
    """

    reads_words = False  # the pooled vector alone, so that a cache of features need not deliver words

    def __init__(
        self,
        *,
        in_channels: int,
        embed_dims: int,
        activation: str = 'none',
        normalize: bool = True,
        init_cfg: Optional[dict] = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.embed_dims = embed_dims
        self.activation = check_one_of('LinearTextNeck', 'activation', activation, ACTIVATIONS)
        self.normalize = normalize
        self.linear = xavier_linear(in_channels, embed_dims)

    def forward(self, features: TextFeatures) -> Tensor:
        """TextFeatures of M captions -> (M, D)."""
        x = ACTIVATIONS[self.activation](self.linear(features.pooled))
        return F.normalize(x, dim=-1) if self.normalize else x
