"""GaLR's local branch: the objects of an image as a graph."""

from __future__ import annotations

from typing import Optional

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ....errors import ConfigError
from ....structures import Regions
from ....utils.checks import check_int, check_number

_GEOMETRY = 5  # centre x, centre y, width, height, score


def denoise(nodes: Tensor, mask: Tensor, threshold: float) -> Tensor:
    """Which nodes to keep: those that no node before them resembles.

    Args:
        nodes: (B, R, F), most prominent first.
        mask: (B, R) bool, nodes that exist.
        threshold: cosine above which two nodes are the same.

    Returns:
        (B, R) bool.
    """
    unit = F.normalize(nodes, dim=-1)
    same = (unit @ unit.mT) > threshold  # (B, R, R)
    earlier = torch.ones_like(same[0]).tril(-1)  # [i, j]: j stands before i
    return mask & ~(same & earlier & mask[:, None, :]).any(dim=2)


def enhanced_adjacency(boxes: Tensor, prominence: Tensor, mask: Tensor, reach: float) -> Tensor:
    """Each node's neighbours, near ones first and prominent ones up to twice as much.

    ``exp(-distance of centres^2 / (2 reach^2)) (1 + prominence of the neighbour / the greatest)``, divided by its sum
    over the neighbours.

    Args:
        boxes: (B, R, 4) x1, y1, x2, y2 as shares of width and height.
        prominence: (B, R), not negative.
        mask: (B, R) bool.
        reach: as a share of the edge of the image.

    Returns:
        (B, R, R); rows of nodes sum to 1, rows and columns of what is masked are zero.
    """
    centres = (boxes[..., :2] + boxes[..., 2:]) / 2  # (B, R, 2)
    squared = (centres[:, :, None] - centres[:, None]).square().sum(dim=-1)
    prominence = prominence * mask
    relative = prominence / prominence.amax(dim=1, keepdim=True).clamp(min=1e-6)
    weights = (-squared / (2 * reach**2)).exp() * (1 + relative)[:, None, :]
    weights = weights * (mask[:, :, None] & mask[:, None, :])
    return weights / weights.sum(dim=2, keepdim=True).clamp(min=1e-6)


class RegionGraph(nn.Module):
    """Regions -> a unit vector by a graph convolution of three layers.

    Yuan et al., Remote Sensing Cross-Modal Text-Image Retrieval Based on Global and Local Information, 2022 (IEEE TGRS,
    arXiv 2204.09860): 20 nodes of 20 values, layers of 20, 10 and 20 values without biases, ReLU, all nodes side by
    side into a linear layer.

    Interpretation: the paper says that a denoised representation matrix drops repeated objects and an enhanced
    adjacency matrix favours prominent ones (DREA), but its matrices are published as data, without the rules. Ours: a
    node holds its label (15 classes of DOTA), centre, size and score, which makes 20; nodes are sorted by prominence,
    score times the root of the area; then `denoise` and `enhanced_adjacency`.

    Args:
        num_regions: R, nodes of the graph; further regions, which stand last, are not looked at.
        num_labels: L, classes of the detector.
        embed_dims: D of the result.
        region_channels: F of the regions' features, from which labels are guessed (linear, softmax) and learned with
            the rest; None takes the labels as they are.
        redundancy: cosine above which a node repeats another.
        reach: of the adjacency, as a share of the image's edge.

    Raises:
        ConfigError: a value is out of range.
    """

    def __init__(
        self,
        *,
        num_regions: int,
        num_labels: int,
        embed_dims: int,
        region_channels: Optional[int] = None,
        redundancy: float = 0.98,
        reach: float = 0.25,
    ) -> None:
        super().__init__()
        self.num_regions = check_int('RegionGraph', 'num_regions', num_regions)
        self.num_labels = check_int('RegionGraph', 'num_labels', num_labels)
        self.redundancy = check_number('RegionGraph', 'redundancy', redundancy, above=0, most=1)
        self.reach = check_number('RegionGraph', 'reach', reach, above=0)
        self.classify = None if region_channels is None else nn.Linear(region_channels, num_labels)
        channels = num_labels + _GEOMETRY
        widths = (channels, channels, channels // 2, channels)
        self.layers = nn.ModuleList(nn.Linear(a, b, bias=False) for a, b in zip(widths, widths[1:]))
        self.output = nn.Linear(num_regions * channels, embed_dims)

    def label_shares(self, regions: Regions) -> Tensor:
        """(B, R, L): one-hot labels, or what the classifier makes of the features.

        Raises:
            ConfigError: the regions lack what is needed, or a label is not below ``num_labels``.
        """
        if self.classify is not None:
            if regions.features is None or regions.features.shape[-1] != self.classify.in_features:
                have = 'none' if regions.features is None else regions.features.shape[-1]
                raise ConfigError(
                    f'RegionGraph: region_channels={self.classify.in_features}, but the regions have {have} features; '
                    'set region_channels to their number, or None to take labels'
                )
            return self.classify(regions.features).softmax(dim=-1)
        if regions.labels is None:
            raise ConfigError('RegionGraph: the regions have no labels; set region_channels to use their features')
        highest = int(regions.labels.max()) if regions.labels.numel() else 0
        if highest >= self.num_labels:
            raise ConfigError(
                f'RegionGraph: a region has label {highest}, but num_labels={self.num_labels}; set it to the number '
                'of classes of the detector'
            )
        return F.one_hot(regions.labels, self.num_labels).to(regions.boxes.dtype)

    def nodes(self, regions: Regions) -> tuple[Tensor, Tensor]:
        """The graph of each image.

        Returns:
            nodes (B, R, L + 5), zero where there is none, and adjacency (B, R, R).
        """
        regions = _first(regions, self.num_regions)
        size = regions.boxes[..., 2:] - regions.boxes[..., :2]
        centre = (regions.boxes[..., 2:] + regions.boxes[..., :2]) / 2
        nodes = torch.cat([self.label_shares(regions), centre, size, regions.scores[..., None]], dim=-1)
        prominence = regions.scores * size.prod(dim=-1).clamp(min=0).sqrt()
        order = prominence.masked_fill(~regions.mask, -1.0).argsort(dim=1, descending=True, stable=True)
        nodes, boxes = (torch.take_along_dim(t, order[..., None], dim=1) for t in (nodes, regions.boxes))
        prominence, mask = (torch.take_along_dim(t, order, dim=1) for t in (prominence, regions.mask))
        keep = denoise(nodes, mask, self.redundancy)
        return nodes * keep[..., None], enhanced_adjacency(boxes, prominence, keep, self.reach)

    def forward(self, regions: Regions) -> Tensor:
        """Regions of B images, one or more, the masked ones not counted -> unit vectors (B, D)."""
        x, adjacency = self.nodes(regions)
        for layer in self.layers:
            x = layer(adjacency @ x).relu()
        missing = self.num_regions - x.shape[1]
        return F.normalize(self.output(F.pad(x, (0, 0, 0, missing)).flatten(1)), dim=-1)


def _first(regions: Regions, num: int) -> Regions:
    """The first ``num`` regions, and zeros in place of padding."""
    cut = Regions(*(None if t is None else t[:, :num] for t in regions))
    return cut._replace(
        boxes=cut.boxes.masked_fill(~cut.mask[..., None], 0.0),
        scores=cut.scores.masked_fill(~cut.mask, 0.0),
        labels=None if cut.labels is None else cut.labels.masked_fill(~cut.mask, 0),
        features=None if cut.features is None else cut.features.masked_fill(~cut.mask[..., None], 0.0),
    )
