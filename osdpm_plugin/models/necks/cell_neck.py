"""The cells of the map as they are, where the image tower itself is trained into the joint space."""

from __future__ import annotations

from typing import Optional, Sequence, Union

import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor

from ...registry import MODELS
from ...structures import ImageFeatures, NeckOutput, as_image_features


@MODELS.register_module()
class CellNeck(BaseModule):
    """Each of the R = hw cells of the last map -> L2; the embedding is their mean -> L2. No parameters.

    What SCAN has on the image side in the remote-sensing comparison: `RegionNeck` without its linear layer, since the
    13.68 M parameters published for it are those of a ResNet-18 and a bidirectional GRU, and no more.

    Args:
        init_cfg: mmengine's.
    """

    def __init__(self, *, init_cfg: Optional[dict] = None) -> None:
        super().__init__(init_cfg=init_cfg)

    def forward(self, features: Union[ImageFeatures, Sequence[Tensor]]) -> NeckOutput:
        """ImageFeatures or OpenMMLab's tuple of maps -> NeckOutput with regions (B, h * w, C), row by row."""
        cells = as_image_features(features).maps[-1].flatten(2).mT  # (B, hw, C)
        regions = F.normalize(cells, dim=-1)
        return NeckOutput(
            saliency=None,
            scale_weights=None,
            regions=regions,
            embedding=F.normalize(regions.mean(dim=1), dim=-1),
        )
