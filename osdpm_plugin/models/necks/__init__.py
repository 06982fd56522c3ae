"""ImageFeatures -> NeckOutput with (B, D) unit vectors; TextFeatures -> (M, D) unit vectors, or TextFeatures in
the joint space.
"""

from .dapn import DAPN
from .global_local_neck import GlobalLocalNeck
from .global_neck import GlobalNeck
from .key_entity_attention import KeyEntityAttention
from .linear_neck import LinearNeck
from .linear_text_neck import LinearTextNeck
from .multiscale_self_attention import MultiScaleSelfAttention
from .region_neck import RegionNeck
from .text_projection import TextProjection
from .word_projection import WordProjection

__all__ = [
    'DAPN',
    'GlobalLocalNeck',
    'GlobalNeck',
    'KeyEntityAttention',
    'LinearNeck',
    'LinearTextNeck',
    'MultiScaleSelfAttention',
    'RegionNeck',
    'TextProjection',
    'WordProjection',
]
