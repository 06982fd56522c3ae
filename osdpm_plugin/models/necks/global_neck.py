"""The plain neck: one global vector of the image, no attention. The baseline of the ablation, and DAPN's starting
point.
"""

from __future__ import annotations

from typing import Optional, Sequence, Union

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from ...errors import ConfigError
from ...registry import MODELS
from ...structures import ImageFeatures, NeckOutput, as_image_features
from ..pooling import mean_and_max


def mlp(in_channels: int, hidden_channels: int, out_channels: int, dropout: float) -> nn.Sequential:
    """LayerNorm -> Linear -> GELU -> Dropout -> Linear."""
    return nn.Sequential(
        nn.LayerNorm(in_channels),
        nn.Linear(in_channels, hidden_channels),
        nn.GELU(),
        nn.Dropout(dropout),
        nn.Linear(hidden_channels, out_channels),
    )


class ResidualAdapter(nn.Module):
    """x + tanh(gate) * perceptron(x), with a gate for each channel that starts at 0: the identity at first."""

    def __init__(self, channels: int, hidden_channels: int, dropout: float) -> None:
        super().__init__()
        self.mlp = mlp(channels, hidden_channels, channels, dropout)
        self.gate = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C) -> (B, C)."""
        return x + torch.tanh(self.gate) * self.mlp(x)


def projection(
    in_channels: Optional[int], embed_dims: int, hidden_channels: int, dropout: float, adapter: bool, owner: str
) -> Optional[nn.Module]:
    """What leads a pooled vector to the joint space: a perceptron, an adapter that starts as the identity, or nothing.

    Raises:
        ConfigError: both ``in_channels`` and ``adapter`` are set.
    """
    if in_channels is None:
        return ResidualAdapter(embed_dims, hidden_channels, dropout) if adapter else None
    if adapter:
        raise ConfigError(
            f'{owner}: adapter=True is for vectors that are in the joint space already; leave in_channels out'
        )
    return mlp(in_channels, hidden_channels, embed_dims, dropout)


@MODELS.register_module()
class GlobalNeck(BaseModule):
    """Global image embedding.

    - ``in_channels=None``: the tower's pooled vector as it is (CLIP, already in the joint space), or through a
      `ResidualAdapter`.
    - ``in_channels=C``: mean and maximum of the last map, then a two-layer perceptron (ImageNet backbones).
    - ``pooled_channels=P``: the tower's pooled vector of another space (`CompressedTower`), then the perceptron.

    Args:
        embed_dims: D of the joint space.
        in_channels: C of the tower's last map, or None.
        pooled_channels: width of the tower's pooled vector where it is not in the joint space, or None.
        adapter: refine the tower's pooled vector by a `ResidualAdapter`.

    Example:
        >>> features = ImageFeatures(maps=(), pooled=torch.tensor([[3.0, 4.0]]))
        >>> GlobalNeck(embed_dims=2)(features).embedding
        tensor([[0.6000, 0.8000]])
    """

    def __init__(
        self,
        *,
        embed_dims: int,
        in_channels: Optional[int] = None,
        pooled_channels: Optional[int] = None,
        hidden_channels: int = 1024,
        dropout: float = 0.1,
        adapter: bool = False,
        init_cfg: Optional[dict] = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        if in_channels is not None and pooled_channels is not None:
            raise ConfigError(
                f'{type(self).__name__}: in_channels pools the last map, pooled_channels takes a pooled vector; set one'
            )
        self.pools_map = in_channels is not None
        self.pooled_channels = embed_dims if pooled_channels is None else pooled_channels
        self.projection = projection(
            pooled_channels if in_channels is None else 2 * in_channels,
            embed_dims,
            hidden_channels,
            dropout,
            adapter,
            type(self).__name__,
        )

    def project(self, features: ImageFeatures) -> Tensor:
        """The embedding (B, D) before normalisation.

        Raises:
            ConfigError: the tower has no pooled vector, or one of another width, and ``in_channels`` is None.
        """
        if self.pools_map:
            pooled = mean_and_max(features.maps[-1])  # (B, 2C)
        elif features.pooled is None or features.pooled.shape[1] != self.pooled_channels:
            have = 'none' if features.pooled is None else f'{features.pooled.shape[1]} values'
            raise ConfigError(
                f"neck: in_channels=None takes the image tower's pooled vector of {self.pooled_channels} values, but "
                f'the tower gives {have}; set in_channels to the width of its last map, or pooled_channels'
            )
        else:
            pooled = features.pooled
        return pooled if self.projection is None else self.projection(pooled)

    def forward(self, features: Union[ImageFeatures, Sequence[Tensor]]) -> NeckOutput:
        """ImageFeatures or OpenMMLab's tuple of maps -> NeckOutput without saliency."""
        return NeckOutput.of(F.normalize(self.project(as_image_features(features)), dim=-1))
