"""Maps of cells (h, w) -> colours (H, W, 3) uint8 over the image, and their colour bar.

A model sees an image of any shape resized to its input size, without keeping the ratio of its edges. So each cell of a
map covers the same share of the original image, and maps are enlarged to the image and not to the input. (In a backbone
with padded strides a cell looks up to half a cell further to the upper left: measured for ImageNet's ResNet-50, 0.1 to
0.2 cells at stride 16 and 0.2 to 0.3 at stride 32. Relevance by occlusion has no such shift.)
"""

from __future__ import annotations

from typing import NamedTuple

import matplotlib
import numpy as np
import torch
import torch.nn.functional as F

from ..errors import ConfigError

STRENGTH = 0.6  # share of the colour in an overlay
SIGNED_STRENGTH = 0.85  # likewise, at either end of a signed scale
RISE, FALL = (0.698, 0.094, 0.169), (0.129, 0.400, 0.675)  # red above 0, blue below: safe for the colour-blind
GREY = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601


class Scale(NamedTuple):
    """Values -> colours: those of the first and of the last colour; signed, two hues that fade towards 0."""

    low: float
    high: float
    signed: bool = False


def scale_of(heat: np.ndarray, *, signed: bool = False) -> Scale:
    """From 0 to the largest value of ``heat``; symmetric around 0 for values of both signs."""
    most = float(np.abs(heat).max())
    most = most if np.isfinite(most) and most > 0 else 1.0
    return Scale(-most if signed else 0.0, most, signed)


def enlarge(heat: np.ndarray, height: int, width: int) -> np.ndarray:
    """Cells (h, w) -> pixels (H, W): bilinear between the centres of cells, constant beyond the outer ones.

    Raises:
        ConfigError: the map or the image is empty.
    """
    if min(*heat.shape, height, width) < 1:
        raise ConfigError(f'a map of {heat.shape} cells cannot be drawn on {height} x {width} pixels')
    cells = torch.from_numpy(heat).double()[None, None]
    return F.interpolate(cells, size=(height, width), mode='bilinear')[0, 0].numpy()


def blend(grey: np.ndarray, values: np.ndarray, scale: Scale) -> np.ndarray:
    """Colours of values (...) blended with a grey image (...) between 0 and 1: (..., 3) uint8.

    Values beyond the scale are clipped. On a signed scale the value 0 leaves the grey unchanged.
    """
    share = np.clip((values - scale.low) / (scale.high - scale.low), 0, 1)
    if scale.signed:
        away = (2 * share - 1)[..., None]  # from -1 to 1
        colours, strength = np.where(away > 0, RISE, FALL), SIGNED_STRENGTH * np.abs(away)
    else:
        colours = matplotlib.colormaps['inferno'](share)[..., :3]
        strength = np.full_like(colours, STRENGTH)
    return (255 * ((1 - strength) * grey[..., None] + strength * colours) + 0.5).astype(np.uint8)


def overlay(image: np.ndarray, heat: np.ndarray, scale: Scale) -> np.ndarray:
    """The image (H, W, 3) uint8 in grey, coloured by a map of its cells (h, w): (H, W, 3) uint8."""
    return blend(image @ GREY / 255, enlarge(heat, *image.shape[:2]), scale)


def colour_bar(scale: Scale, height: int, width: int) -> np.ndarray:
    """(H, W, 3) uint8, the lowest value at the left, in the colours of an overlay on middle grey."""
    values = np.linspace(scale.low, scale.high, width)
    return np.repeat(blend(np.full(width, 0.5), values, scale)[None], height, axis=0)
