"""DAPN, the dual-attention perception network: the image side of OSDPM."""

from __future__ import annotations

import functools
from typing import Optional, Sequence, Union

import torch
import torch.nn.functional as F
from mmcv.cnn.bricks import DropPath
from mmengine.model import BaseModule
from torch import Tensor, nn

from ...errors import ConfigError
from ...registry import MODELS
from ...structures import ImageFeatures, NeckOutput, as_image_features
from ...utils.checks import check_int, check_number, check_one_of
from .global_neck import GlobalNeck
from .object_saliency import ObjectSaliencyAttention, SaliencyOutput
from .spatial_channel_attention import SpatialChannelCooperativeAttention


@MODELS.register_module()
class DAPN(BaseModule):
    """Image embedding from a global vector and two attentions over the feature maps.

    ::

        maps ── 1x1 each, sum on one grid ────── ── cooperative attention ── object saliency ── Linear ── x gate ─┐
                                                                                    │                             │
        pooled vector, or pooled map -> perceptron ── global vector ───────────────┴─────────────────────────── + ── L2

    The gate is tanh of a parameter for each of the D channels that starts at ``gate_init``. With 0, DAPN is a no-op at
    first: on a pretrained CLIP pair recall starts at zero-shot CLIP's and training departs from there.

    Interpretation: the paper says that the attentions refine CLIP's features; residual and gate are ours.

    Args:
        in_channels: C_i of the tower's maps, fine to coarse; one value where the tower gives one map.
        embed_dims: D of the joint space.
        pool_channels: C of the last map when the global vector is made of it (`GlobalNeck`, in_channels); None takes
            the tower's pooled vector.
        pooled_channels: width of the tower's pooled vector where it is not in the joint space (`GlobalNeck`).
        channels: width of the attentions.
        grid: ``finest`` or ``coarsest`` of the maps, on which they are summed; the coarsest costs less.
        scales: odd window edges in cells of that grid.
        num_queries: object queries at each scale.
        object_channels: width of what a query finds.
        adapter: refine the tower's pooled vector by a `ResidualAdapter` (``pool_channels=None`` only).
        cooperative: False leaves the spatial-channel attention out (ablation).
        gate_init: start of the gate, before tanh.
        hidden_channels: width of the global vector's perceptron.
        dropout: of that perceptron.
        object_dropout: of what the queries found; None: as ``dropout``.
        drop_path: share of training images whose attended vector is left out, the others being scaled up (stochastic
            depth, Huang et al., ECCV 2016), so that the global vector learns to stand alone.

    Example:
        >>> neck = DAPN(in_channels=(8,), embed_dims=2, channels=16)
        >>> out = neck(ImageFeatures(maps=(torch.rand(1, 8, 4, 4),), pooled=torch.tensor([[3.0, 4.0]])))
        >>> out.embedding.detach()  # the pooled vector: the gate starts at 0
        tensor([[0.6000, 0.8000]])
        >>> out.saliency.shape, round(out.saliency.sum().item(), 4)
        (torch.Size([1, 4, 4]), 1.0)
    """

    def __init__(
        self,
        *,
        in_channels: Sequence[int],
        embed_dims: int,
        pool_channels: Optional[int] = None,
        pooled_channels: Optional[int] = None,
        adapter: bool = False,
        channels: int = 512,
        grid: str = 'finest',
        scales: Sequence[int] = (1, 3),
        num_queries: int = 16,
        object_channels: int = 128,
        cooperative: bool = True,
        gate_init: float = 0.0,
        hidden_channels: int = 1024,
        dropout: float = 0.1,
        object_dropout: Optional[float] = None,
        drop_path: float = 0.0,
        init_cfg: Optional[dict] = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        check_number('DAPN', 'drop_path', drop_path, least=0, below=1)
        object_dropout = check_number(
            'DAPN', 'object_dropout', dropout if object_dropout is None else object_dropout, least=0, below=1
        )
        for key, values in dict(embed_dims=[embed_dims], channels=[channels], in_channels=in_channels).items():
            for value in values:
                check_int('DAPN', key, value)
        self.grid = check_one_of('DAPN', 'grid', grid, ('finest', 'coarsest'))
        self.global_neck = GlobalNeck(
            embed_dims=embed_dims,
            in_channels=pool_channels,
            pooled_channels=pooled_channels,
            hidden_channels=hidden_channels,
            dropout=dropout,
            adapter=adapter,
        )
        self.laterals = nn.ModuleList(
            nn.Sequential(nn.Conv2d(c, channels, 1), nn.GroupNorm(1, channels)) for c in in_channels
        )
        self.cooperative = SpatialChannelCooperativeAttention(channels=channels) if cooperative else nn.Identity()
        self.object_saliency = ObjectSaliencyAttention(
            channels=channels,
            global_channels=embed_dims,
            scales=scales,
            num_queries=num_queries,
            object_channels=object_channels,
        )
        found = self.object_saliency.out_channels
        self.output = nn.Sequential(nn.LayerNorm(found), nn.Dropout(object_dropout), nn.Linear(found, embed_dims))
        self.drop_path = DropPath(drop_path)
        self.gate = nn.Parameter(torch.full((embed_dims,), float(gate_init)))

    def merge_maps(self, maps: Sequence[Tensor]) -> Tensor:
        """The tower's maps (B, C_i, h_i, w_i) -> one map (B, C, h, w) on the chosen grid.

        Raises:
            ConfigError: number or widths of the maps are not ``in_channels``.
        """
        want = [lateral[0].in_channels for lateral in self.laterals]
        have = [m.shape[1] for m in maps]
        if want != have:
            raise ConfigError(f'DAPN: in_channels={want}, but the image tower gives maps of widths {have}')
        choose = max if self.grid == 'finest' else min
        size = choose((m.shape[-2:] for m in maps), key=lambda s: s[0] * s[1])
        return functools.reduce(torch.add, (_to_grid(m, lateral, size) for lateral, m in zip(self.laterals, maps)))

    def attend(self, features: ImageFeatures, global_vector: Tensor) -> SaliencyOutput:
        """The two attentions; for pictures as well, since it returns the saliency of each scale."""
        return self.object_saliency(self.cooperative(self.merge_maps(features.maps)), global_vector)

    def forward(self, features: Union[ImageFeatures, Sequence[Tensor]]) -> NeckOutput:
        """ImageFeatures or OpenMMLab's tuple of maps -> NeckOutput."""
        features = as_image_features(features)
        global_vector = self.global_neck.project(features)
        attended = self.attend(features, global_vector)
        embedding = global_vector + self.drop_path(torch.tanh(self.gate) * self.output(attended.objects))
        return NeckOutput.of(
            F.normalize(embedding, dim=-1), saliency=attended.saliency, scale_weights=attended.scale_weights
        )


def _to_grid(x: Tensor, lateral: nn.Module, size: Sequence[int]) -> Tensor:
    """(B, C_i, h_i, w_i) -> (B, C, h, w): project and resize, in the order that handles fewer positions."""
    x = x.contiguous(memory_format=torch.channels_last)  # in which all that follows is faster
    if x.shape[-2] * x.shape[-1] > size[0] * size[1]:
        return lateral(F.adaptive_avg_pool2d(x, tuple(size)))
    y = lateral(x)
    return y if tuple(y.shape[-2:]) == tuple(size) else F.interpolate(y, size=tuple(size), mode='bilinear')
