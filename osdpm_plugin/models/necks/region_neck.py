"""A vector of the joint space for each cell of the map, for similarities that compare regions with words."""

from __future__ import annotations

from typing import Optional, Sequence, Union

import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor

from ...registry import MODELS
from ...structures import ImageFeatures, NeckOutput, as_image_features
from .linear_neck import xavier_linear


@MODELS.register_module()
class RegionNeck(BaseModule):
    """Each of the R = hw cells of the last map -> linear -> (L2); the embedding is the mean of the regions -> (L2).

    Args:
        in_channels: C of the tower's last map.
        embed_dims: D of the joint space.
        normalize: divide regions and embedding by their L2 norms.
        init_cfg: mmengine's.
    """

    def __init__(
        self, *, in_channels: int, embed_dims: int, normalize: bool = True, init_cfg: Optional[dict] = None
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.embed_dims = embed_dims
        self.normalize = normalize
        self.linear = xavier_linear(in_channels, embed_dims)

    def forward(self, features: Union[ImageFeatures, Sequence[Tensor]]) -> NeckOutput:
        """ImageFeatures or OpenMMLab's tuple of maps -> NeckOutput with regions (B, h * w, D), row by row."""
        cells = as_image_features(features).maps[-1].flatten(2).mT  # (B, hw, C)
        regions = self.linear(cells)
        if self.normalize:
            regions = F.normalize(regions, dim=-1)
        embedding = regions.mean(dim=1)
        return NeckOutput(
            saliency=None,
            scale_weights=None,
            regions=regions,
            embedding=F.normalize(embedding, dim=-1) if self.normalize else embedding,
        )
