"""One linear layer from an ImageNet backbone to the joint space, as methods before attention had."""

from __future__ import annotations

from typing import Optional, Sequence, Union

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from ...registry import MODELS
from ...structures import ImageFeatures, NeckOutput, as_image_features
from ...utils.checks import check_one_of

ACTIVATIONS = {'none': lambda x: x, 'relu': F.relu, 'tanh': torch.tanh}


def xavier_linear(in_channels: int, out_channels: int) -> nn.Linear:
    """A linear layer with uniform Xavier weights (Glorot and Bengio 2010) and no bias to start with."""
    layer = nn.Linear(in_channels, out_channels)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


@MODELS.register_module()
class LinearNeck(BaseModule):
    """Mean of the last map -> (L2) -> linear -> activation -> (L2).

    Args:
        in_channels: C of the tower's last map.
        embed_dims: D of the joint space.
        normalize_input: divide the mean by its L2 norm.
        activation: ``none``, ``relu`` or ``tanh``.
        normalize: divide the embedding by its L2 norm; without it only a similarity that is not ``indexable``, or
            that compares with unit text vectors, should read it.

    Raises:
        ConfigError: ``activation`` is unknown.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        embed_dims: int,
        normalize_input: bool = False,
        activation: str = 'none',
        normalize: bool = True,
        init_cfg: Optional[dict] = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.embed_dims = embed_dims
        self.normalize_input = normalize_input
        self.activation = check_one_of('LinearNeck', 'activation', activation, ACTIVATIONS)
        self.normalize = normalize
        self.linear = xavier_linear(in_channels, embed_dims)

    def forward(self, features: Union[ImageFeatures, Sequence[Tensor]]) -> NeckOutput:
        """ImageFeatures or OpenMMLab's tuple of maps -> NeckOutput with the embedding alone."""
        pooled = as_image_features(features).maps[-1].mean(dim=(2, 3))  # (B, C)
        embedding = self.linear(F.normalize(pooled, dim=-1) if self.normalize_input else pooled)
        embedding = ACTIVATIONS[self.activation](embedding)
        return NeckOutput.of(F.normalize(embedding, dim=-1) if self.normalize else embedding)
