"""(B, C, H, W) images -> one of their eight turns and reflections."""

from __future__ import annotations

import torch
from torch import Tensor

NUM_TURNS = 8


def turned(images: Tensor, turn: int) -> Tensor:
    """One element of the dihedral group D4 applied to square images; no pixel is interpolated.

    Args:
        images: (B, 3, S, S).
        turn: 0 to 7: mirrored left to right when odd, then turned by ``turn // 2`` quarters, counter-clockwise. The
            first four (identity, mirror, quarter turn, both) cover either orientation of either axis.

    Returns:
        (B, 3, S, S).
    """
    mirrored = images.flip(-1) if turn % 2 else images
    return torch.rot90(mirrored, turn // 2, dims=(-2, -1))
