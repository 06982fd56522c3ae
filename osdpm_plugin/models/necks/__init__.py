"""ImageFeatures -> NeckOutput with (B, D) unit vectors; TextFeatures -> (M, D) unit vectors."""

from .dapn import DAPN
from .global_neck import GlobalNeck
from .text_projection import TextProjection

__all__ = ['DAPN', 'GlobalNeck', 'TextProjection']
