"""(B, D) and (M, D) embeddings or (B, M) scores, ids and object counts -> dict of losses. Nothing here runs at
inference.
"""

from .contrastive_head import ContrastiveHead
from .matching_head import MatchingHead
from .osfcm_head import OSFCMHead

__all__ = ['ContrastiveHead', 'MatchingHead', 'OSFCMHead']
