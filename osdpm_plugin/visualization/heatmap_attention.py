"""DAPN and the features of one image -> its attention maps as arrays. Only this file uses the inner parts of DAPN."""

from __future__ import annotations

from typing import NamedTuple, Optional

import numpy as np
import torch
from torch import Tensor

from ..models.necks import DAPN
from ..models.necks.spatial_channel_attention import SpatialChannelCooperativeAttention
from ..structures import ImageFeatures


class Attention(NamedTuple):
    """What DAPN attends to in one image.

    Attributes:
        spatial: (h, w), weights of positions in (0, 1), or None without cooperative attention.
        response: (h, w), root mean square over channels of the merged map times its channel weights (all 1 without
            cooperative attention).
        scales: S window edges in cells of the map.
        scale_saliency: (S, h, w), each sums to 1.
        scale_weights: (S,), sum to 1.
        saliency: (h, w), the weighted sum of the scales; sums to 1.
    """

    spatial: Optional[np.ndarray]
    response: np.ndarray
    scales: tuple[int, ...]
    scale_saliency: np.ndarray
    scale_weights: np.ndarray
    saliency: np.ndarray


@torch.no_grad()
def attention_of(neck: DAPN, features: ImageFeatures) -> Attention:
    """The attention of ``neck`` on the features of one image (B = 1), in evaluation mode.

    Raises:
        ConfigError: the features do not fit the neck.
    """
    merged = neck.merge_maps(features.maps)
    spatial, channel = None, torch.ones_like(merged[:, :, 0, 0])  # (B, 1, h, w) of positions, (B, C) of channels
    if isinstance(neck.cooperative, SpatialChannelCooperativeAttention):
        channel, spatial = neck.cooperative.weights(merged)
    salient = neck.attend(features, neck.global_neck.project(features))
    return Attention(
        spatial=None if spatial is None else _array(spatial[0, 0]),
        response=_array((merged * channel[..., None, None])[0].square().mean(dim=0).sqrt()),
        scales=tuple(neck.object_saliency.scales),
        scale_saliency=_array(salient.scale_saliency[0]),
        scale_weights=_array(salient.scale_weights[0]),
        saliency=_array(salient.saliency[0]),
    )


def _array(x: Tensor) -> np.ndarray:
    return x.double().cpu().numpy()
