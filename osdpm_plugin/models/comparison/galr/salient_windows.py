"""Regions of an image without a detector: the windows of a feature map that stand out."""

from __future__ import annotations

from typing import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ....structures import Regions

_NEVER = float('-inf')


def window_boxes(size: tuple[int, int], edges: Sequence[int], device: torch.device) -> Tensor:
    """All windows of a map, edge by edge and then row by row: (P, 4) x1, y1, x2, y2 as shares of width and height.

    Args:
        size: h, w of the map in cells.
        edges: edges of the square windows in cells; those that do not fit are left out.
        device: of the result.
    """
    h, w = size
    boxes = [
        (x / w, y / h, (x + e) / w, (y + e) / h) for e in edges for y in range(h - e + 1) for x in range(w - e + 1)
    ]
    return torch.tensor(boxes, device=device)


def pairwise_iou(boxes: Tensor) -> Tensor:
    """Intersection over union of each two of (P, 4) boxes of positive area -> (P, P)."""
    low = torch.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = torch.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    common = (high - low).clamp(min=0).prod(dim=-1)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(dim=-1)
    return common / (area[:, None] + area - common)


def salient_windows(x: Tensor, *, num: int, edges: Sequence[int] = (1, 2, 3), max_overlap: float = 0.5) -> Regions:
    """The windows whose cells are the strongest, none of them overlapping a stronger one by much.

    A cell's strength is the norm of its vector. A window's is the mean strength of its cells minus that of all cells,
    in standard deviations, times its edge: what is as strong over more cells stands out more. Its score is the sigmoid
    of that. Windows are chosen greedily, which carries no gradient; their features do.

    Args:
        x: map (B, C, h, w).
        num: R, number of windows; where fewer can be had the rest is padding.
        edges: edges of the square windows in cells; 1 must be among them, so that there is a window on any map.
        max_overlap: greatest intersection over union of two chosen windows.

    Returns:
        R windows of each image, best first, without labels; features (B, R, C) are the means over their cells.
    """
    h, w = x.shape[-2:]
    edges = [e for e in edges if e <= min(h, w)]
    pooled = torch.cat([F.avg_pool2d(x, e, stride=1).flatten(2) for e in edges], dim=2)  # (B, C, P)
    strength = x.detach().to(torch.promote_types(x.dtype, torch.float32)).norm(dim=1, keepdim=True)  # (B, 1, h, w)
    mean = torch.cat([F.avg_pool2d(strength, e, stride=1).flatten(1) for e in edges], dim=1)  # (B, P)
    cells = strength.flatten(1)
    contrast = (mean - cells.mean(dim=1, keepdim=True)) / (cells.std(dim=1, keepdim=True, correction=0) + 1e-6)
    width = torch.cat([mean.new_full(((h - e + 1) * (w - e + 1),), e) for e in edges])  # (P,)
    rating = contrast * width
    boxes = window_boxes((h, w), edges, x.device).to(rating.dtype)  # (P, 4)
    chosen, mask = _choose(rating, pairwise_iou(boxes) > max_overlap, num)
    features = pooled.gather(2, chosen[:, None].expand(-1, x.shape[1], -1)).mT * mask[..., None]  # (B, R, C)
    return Regions(
        boxes=boxes[chosen] * mask[..., None],
        labels=None,
        scores=rating.gather(1, chosen).sigmoid() * mask,
        mask=mask,
        features=features,
    )


def _choose(rating: Tensor, excludes: Tensor, num: int) -> tuple[Tensor, Tensor]:
    """Greedy choice of ``num`` of P: the best, then the best of what it does not exclude, and so on.

    Args:
        rating: (B, P).
        excludes: (P, P) bool, true on the diagonal.
        num: R.

    Returns:
        positions (B, R) int64 and mask (B, R) bool, false where there was nothing left.
    """
    left = rating.clone()
    chosen, mask = [], []
    for _ in range(num):
        best, position = left.max(dim=1)
        chosen.append(position)
        mask.append(best > _NEVER)
        left = left.masked_fill(excludes[position], _NEVER)
    return torch.stack(chosen, dim=1), torch.stack(mask, dim=1)
