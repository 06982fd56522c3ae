"""AMFMN (TGRS 2022): multi-scale self-attention on the image side, and a similarity in which it guides the text."""

from .multiscale_self_attention import MultiScaleSelfAttention
from .visual_guided import VisualGuidedSimilarity

__all__ = ['MultiScaleSelfAttention', 'VisualGuidedSimilarity']
