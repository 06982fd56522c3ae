"""An image and targets -> the regions that each match depends on, found by hiding them, for any model.

A window is filled with the image's mean colour, and the image is embedded again. The *fall* of the window is how much
the cosine with the target decreases::

    fall(window) = t . e(image) - t . e(image without the window)          t, e: unit vectors (D,)

Windows cover ``window`` x ``window`` cells of a ``grid`` x ``grid`` division of the image and move by one cell; the
relevance of a cell is the mean fall of the windows that cover it. A positive value means that hiding the cell makes the
match worse. With the image's own embedding as the target it is 1 - cosine, how much the embedding changes.

Neither gradients nor inner parts of a model are used, so the maps of two models can be compared. Pixels of the image
are hidden, so padded strides of a backbone do not shift the map.

Source of the idea: occlusion sensitivity (Zeiler and Fergus 2014). Interpretation: mean colour, overlapping windows and
the mean over them are ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Callable

import numpy as np
import torch
from torch import Tensor

from ..utils.checks import check_int

GRID = 14
WINDOW = 2
BATCH_SIZE = 32


@torch.no_grad()
def occlusion_relevance(
    embed: Callable[[Tensor], Tensor],
    image: Tensor,
    targets: Tensor,
    *,
    grid: int = GRID,
    window: int = WINDOW,
    batch_size: int = BATCH_SIZE,
) -> np.ndarray:
    """Relevance (T, grid, grid) float64 of the cells of an image for T targets, in units of the cosine.

    Args:
        embed: images (B, 3, H, W) -> unit vectors (B, D).
        image: (3, H, W), as ``embed`` takes it.
        targets: (T, D) unit vectors.
        grid: cells along each edge, at most the pixels of the shorter one.
        window: edge of a window in cells.
        batch_size: images that are embedded at a time; it changes speed and memory only.

    Raises:
        ConfigError: a number is out of range.
    """
    check_grid(grid, window)
    check_int('', 'batch_size', batch_size)
    pixels = min(image.shape[1:])
    hint = f'the shorter edge of the image that the model sees has {pixels} pixels'
    check_int('', 'grid', grid, most=pixels, hint=hint)
    whole = _scores(embed(image[None]), targets)  # (1, T)
    painted = _without_windows(image, grid, window)
    places = grid - window + 1
    falls = []
    while batch := list(islice(painted, batch_size)):
        falls.append(whole - _scores(embed(torch.stack(batch)), targets))
    fall = np.concatenate(falls).T.reshape(-1, places, places)
    return _mean_over_cover(fall, window)


def check_grid(grid: int, window: int) -> None:
    """Raise ConfigError unless a window of this edge is smaller than a grid of this edge."""
    check_int('', 'grid', grid, least=2, hint=f'e.g. {GRID}')
    check_int('', 'window', window, most=grid - 1, hint=f'it must be smaller than the grid, e.g. {WINDOW}')


def _without_windows(image: Tensor, grid: int, window: int) -> Iterator[Tensor]:
    """Copies (3, H, W) of the image, each with one window hidden, row by row."""
    rows, columns = (np.linspace(0, edge, grid + 1).round().astype(int) for edge in image.shape[1:])
    mean = image.mean(dim=(1, 2))[:, None, None]
    for i in range(grid - window + 1):
        for j in range(grid - window + 1):
            hidden = image.clone()
            hidden[:, rows[i] : rows[i + window], columns[j] : columns[j + window]] = mean
            yield hidden


def _scores(embeddings: Tensor, targets: Tensor) -> np.ndarray:
    """Dot products (B, T) float64."""
    return (embeddings.double() @ targets.double().T).cpu().numpy()


def _mean_over_cover(fall: np.ndarray, window: int) -> np.ndarray:
    """Values (T, P, P) of windows -> the mean (T, P + window - 1, ...) over the windows that cover each cell."""
    places = fall.shape[1]
    total, count = np.zeros((2, len(fall), places + window - 1, places + window - 1))
    for i in range(window):
        for j in range(window):
            total[:, i : i + places, j : j + places] += fall
            count[:, i : i + places, j : j + places] += 1
    return total / count
