"""ImageFeatures -> NeckOutput with (B, D) unit vectors; TextFeatures -> (M, D) unit vectors, or TextFeatures in
the joint space.
"""

from .dapn import DAPN
from .global_neck import GlobalNeck
from .linear_neck import LinearNeck
from .linear_text_neck import LinearTextNeck
from .region_neck import RegionNeck
from .text_projection import TextProjection
from .word_projection import WordProjection

__all__ = [
    'DAPN',
    'GlobalNeck',
    'LinearNeck',
    'LinearTextNeck',
    'RegionNeck',
    'TextProjection',
    'WordProjection',
]
