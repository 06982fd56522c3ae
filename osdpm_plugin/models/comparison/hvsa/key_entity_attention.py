"""HVSA's image side: a small memory of key entities attends to the map before it is pooled."""

from __future__ import annotations

from typing import NamedTuple, Optional, Sequence, Union

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from ....registry import MODELS
from ....structures import ImageFeatures, NeckOutput, as_image_features
from ....utils.checks import check_int
from ...necks.linear_neck import xavier_linear


class AttendedMap(NamedTuple):
    """What external attention makes of B maps.

    Attributes:
        map: (B, C, h, w).
        attention: (B, K, h, w), for each slot of the memory a distribution over the cells.
    """

    map: Tensor
    attention: Tensor


class ExternalAttention(nn.Module):
    """A map attends to a memory of K slots that all images share, with a residual.

    Guo et al., Beyond Self-Attention: External Attention using Two Linear Layers for Visual Tasks, 2021 (arXiv
    2105.02358): ``ReLU(x + BN(W2 M' norm(softmax(M W1 x))))``, where M (K, C) is keys and values at once, softmax runs
    over the cells, and norm divides by the sum over the slots.

    Departure: in the released codes of that paper and of HVSA keys and values start as one tensor and may part once the
    model has moved to another device; here they are one parameter.

    Args:
        channels: C.
        slots: K.
    """

    def __init__(self, channels: int, slots: int) -> None:
        super().__init__()
        self.input = nn.Conv2d(channels, channels, 1)
        self.memory = nn.Parameter(torch.empty(slots, channels))
        self.output = nn.Sequential(nn.Conv2d(channels, channels, 1, bias=False), nn.BatchNorm2d(channels))
        nn.init.kaiming_uniform_(self.memory, a=5**0.5)

    def forward(self, x: Tensor) -> AttendedMap:
        """(B, C, h, w) -> the same shape, and the attention."""
        cells = self.input(x).flatten(2)  # (B, C, hw)
        attention = (self.memory @ cells).softmax(dim=2)  # (B, K, hw)
        shares = attention / attention.sum(dim=1, keepdim=True).clamp(min=1e-9)
        values = (self.memory.mT @ shares).view_as(x)  # (B, C, h, w)
        attended = (x + self.output(values)).relu()
        return AttendedMap(map=attended, attention=attention.unflatten(2, x.shape[2:]))


@MODELS.register_module()
class KeyEntityAttention(BaseModule):
    """Key-entity attention (KEA) on the last map, mean, linear, L2.

    Zhang et al., Hypersphere-Based Remote Sensing Cross-Modal Text-Image Retrieval via Curriculum Learning, 2023 (IEEE
    TGRS 61): `ExternalAttention` of 64 slots on a ResNet-18's last map.

    Args:
        in_channels: C of the tower's last map.
        embed_dims: D of the joint space.
        slots: K of the memory.
        init_cfg: mmengine's.

    Raises:
        ConfigError: a value is out of range.
    """

    def __init__(self, *, in_channels: int, embed_dims: int, slots: int = 64, init_cfg: Optional[dict] = None) -> None:
        super().__init__(init_cfg=init_cfg)
        for key, value in dict(in_channels=in_channels, embed_dims=embed_dims, slots=slots).items():
            check_int('KeyEntityAttention', key, value)
        self.embed_dims = embed_dims
        self.attention = ExternalAttention(in_channels, slots)
        self.linear = xavier_linear(in_channels, embed_dims)

    def forward(self, features: Union[ImageFeatures, Sequence[Tensor]]) -> NeckOutput:
        """ImageFeatures or OpenMMLab's tuple of maps -> NeckOutput; the saliency is the slots' mean attention."""
        attended = self.attention(as_image_features(features).maps[-1])
        embedding = F.normalize(self.linear(attended.map.mean(dim=(2, 3))), dim=-1)
        return NeckOutput.of(embedding, saliency=attended.attention.mean(dim=1))
