"""(B, D) and (M, D) unit vectors, ids and object counts -> dict of losses. Nothing here runs at inference."""

from .contrastive_head import ContrastiveHead
from .osfcm_head import OSFCMHead

__all__ = ['ContrastiveHead', 'OSFCMHead']
