"""What the towers and necks leave of one image and of one text: all that a similarity needs."""

from __future__ import annotations

from typing import NamedTuple, Optional

import numpy as np


class ImageVector(NamedTuple):
    """One image.

    Attributes:
        embedding: (D,) float32.
        regions: (R, D) float32, or None for models whose scores are dot products, or whose neck gives none.
    """

    embedding: np.ndarray
    regions: Optional[np.ndarray] = None


class TextVector(NamedTuple):
    """One text.

    Attributes:
        embedding: (D,) float32.
        words: (words of the text, D) float32, or None for models whose scores are dot products.
    """

    embedding: np.ndarray
    words: Optional[np.ndarray] = None
