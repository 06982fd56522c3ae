"""Images with a bright rectangle at a known place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

SHAPES = [(97, 200), (211, 53), (64, 64), (33, 35)]  # height, width: of any ratio, even and odd


def plant(path: Path, height: int, width: int, box: tuple[int, int, int, int]) -> str:
    """A dark image with a bright rectangle (top, bottom, left, right)."""
    pixels = np.full((height, width, 3), 20, dtype=np.uint8)
    top, bottom, left, right = box
    pixels[top:bottom, left:right] = 250
    Image.fromarray(pixels).save(path)
    return str(path)


def centre_of(heat: np.ndarray) -> tuple[float, float]:
    """Centroid (y, x) in pixels."""
    heat = np.maximum(heat, 0)
    y, x = (np.arange(edge) + 0.5 for edge in heat.shape)
    return (heat.sum(axis=1) @ y / heat.sum(), heat.sum(axis=0) @ x / heat.sum())
