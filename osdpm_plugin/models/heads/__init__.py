"""NeckOutput, TextFeatures and CaptionBatch of a batch, and scores where asked for -> dict of losses; training only."""

from .contrastive_head import ContrastiveHead
from .matching_head import MatchingHead
from .osfcm_head import OSFCMHead

__all__ = ['ContrastiveHead', 'MatchingHead', 'OSFCMHead']
