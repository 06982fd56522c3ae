"""GaLR's image side: the whole image and its objects."""

from __future__ import annotations

from typing import Optional, Sequence, Union

import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor

from ....errors import ConfigError
from ....registry import MODELS
from ....structures import ImageFeatures, NeckOutput, Regions, as_image_features
from ....utils.checks import check_one_of
from ..amfmn.multiscale_self_attention import MultiScaleSelfAttention
from .dynamic_fusion import MultiLevelDynamicFusion
from .local_graph import RegionGraph
from .salient_windows import salient_windows


@MODELS.register_module()
class GlobalLocalNeck(BaseModule):
    """Image embedding from a global branch, a graph of regions, and their dynamic fusion.

    Yuan et al., Remote Sensing Cross-Modal Text-Image Retrieval Based on Global and Local Information, 2022 (IEEE TGRS,
    arXiv 2204.09860):

    ::

        maps ─┬─ MultiScaleSelfAttention ── L2 ─────┬─ MultiLevelDynamicFusion ── L2
              └─ regions ── RegionGraph ── L2 ──────┘

    Regions are those of a detector, or windows of the last map.

    Departure: the paper's objects come from a detector (PP-YOLO, trained on DOTA) whose output is published in part
    only. ``region_source='salient'`` needs none: `salient_windows` of the last map stand for objects, and a learned
    linear layer with softmax for their classes.

    Args:
        in_channels: C of the tower's maps, see `MultiScaleSelfAttention`.
        embed_dims: D of the joint space; a multiple of the fusion's 8 heads.
        region_source: ``salient``, or ``detected``: the regions that `LoadRegions` brings.
        region_channels: F of the detected regions' features, to guess the classes from; None takes their labels.
        num_regions: R, nodes of the graph.
        num_labels: L, classes of the regions (DOTA: 15).
        grid: see `MultiScaleSelfAttention`.
        low_stride: see `MultiScaleSelfAttention`.
        dropout: in the fusion's attentions.
        init_cfg: mmengine's.

    Raises:
        ConfigError: a value is out of range.
    """

    def __init__(
        self,
        *,
        in_channels: Sequence[int],
        embed_dims: int,
        region_source: str = 'salient',
        region_channels: Optional[int] = None,
        num_regions: int = 20,
        num_labels: int = 15,
        grid: int = 16,
        low_stride: int = 4,
        dropout: float = 0.1,
        init_cfg: Optional[dict] = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        check_one_of('GlobalLocalNeck', 'region_source', region_source, ('salient', 'detected'))
        if region_source == 'salient' and region_channels is not None:
            raise ConfigError(
                "GlobalLocalNeck: region_channels is for region_source='detected'; leave it out, windows have the "
                'channels of the last map'
            )
        if embed_dims % 8:
            raise ConfigError(f'GlobalLocalNeck: embed_dims must be a multiple of 8 (heads), got {embed_dims}')
        self.embed_dims = embed_dims
        self.region_source = region_source
        self.num_regions = num_regions
        self.global_branch = MultiScaleSelfAttention(
            in_channels=in_channels, embed_dims=embed_dims, grid=grid, low_stride=low_stride, normalize=True
        )
        self.local_branch = RegionGraph(
            num_regions=num_regions,
            num_labels=num_labels,
            embed_dims=embed_dims,
            region_channels=in_channels[-1] if region_source == 'salient' else region_channels,
        )
        self.fusion = MultiLevelDynamicFusion(channels=embed_dims, dropout=dropout)

    @property
    def reads_regions(self) -> bool:
        """Whether the retriever is to hand on the regions that `LoadRegions` brings."""
        return self.region_source == 'detected'

    def find_regions(self, features: ImageFeatures) -> Regions:
        """The windows of the last map, or what a detector found.

        Raises:
            ConfigError: there is nothing of a detector.
        """
        if self.region_source == 'salient':
            return salient_windows(features.maps[-1], num=self.num_regions)
        if features.regions is None:
            raise ConfigError(
                "GlobalLocalNeck: region_source='detected', but the images come without regions; put "
                "dict(type='LoadRegions', folder=...) before PackRetrievalInputs in the pipelines, or set "
                "region_source='salient'"
            )
        return features.regions

    def forward(self, features: Union[ImageFeatures, Sequence[Tensor]]) -> NeckOutput:
        """ImageFeatures or OpenMMLab's tuple of maps -> NeckOutput; ``scale_weights`` are global and local, (B, 2)."""
        features = as_image_features(features)
        overall = self.global_branch(features)
        fused = self.fusion(overall.embedding, self.local_branch(self.find_regions(features)))
        return NeckOutput.of(F.normalize(fused.vector, dim=-1), saliency=overall.saliency, scale_weights=fused.weights)
