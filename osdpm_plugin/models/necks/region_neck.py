"""A vector of the joint space for each cell of the map, for similarities that compare regions with words."""

from __future__ import annotations

from typing import Optional, Sequence, Union

import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from ...errors import ConfigError
from ...registry import MODELS
from ...structures import ImageFeatures, NeckOutput, as_image_features
from .linear_neck import xavier_linear


@MODELS.register_module()
class RegionNeck(BaseModule):
    """Each of the R = hw cells of the last map -> linear -> (L2); the embedding is the mean of the regions -> (L2).

    Without ``in_channels`` the cells are taken as they are, where the image tower itself is trained into the joint
    space: what SCAN has in the remote-sensing comparison, since the 13.68 M parameters published for it are those of a
    ResNet-18 and a bidirectional GRU, and no more.

    Args:
        in_channels: C of the tower's last map, or None for no linear layer.
        embed_dims: D of the joint space; set together with ``in_channels``.
        normalize: divide regions and embedding by their L2 norms.
    """

    def __init__(
        self,
        *,
        in_channels: Optional[int] = None,
        embed_dims: Optional[int] = None,
        normalize: bool = True,
        init_cfg: Optional[dict] = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        if (in_channels is None) != (embed_dims is None):
            raise ConfigError(
                f'RegionNeck: in_channels={in_channels} and embed_dims={embed_dims} belong together; set both or none'
            )
        self.normalize = normalize
        self.linear = nn.Identity() if in_channels is None else xavier_linear(in_channels, embed_dims or in_channels)

    def forward(self, features: Union[ImageFeatures, Sequence[Tensor]]) -> NeckOutput:
        """ImageFeatures or OpenMMLab's tuple of maps -> NeckOutput with regions (B, h * w, D), row by row."""
        cells = as_image_features(features).maps[-1].flatten(2).mT  # (B, hw, C)
        regions = self.linear(cells)
        if self.normalize:
            regions = F.normalize(regions, dim=-1)
        embedding = regions.mean(dim=1)
        return NeckOutput.of(F.normalize(embedding, dim=-1) if self.normalize else embedding, regions=regions)
