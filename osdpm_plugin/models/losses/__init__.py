"""Scores or logits, and what they should be -> scalar loss: pure functions, and registered modules that hold
parameters.
"""

from .contrastive import ContrastiveLoss, caption_positives, info_nce, pair_labels
from .matching_bce import MatchingBCELoss
from .prior_clustering import object_priors, prior_clustering
from .triplet import TripletLoss, triplet_hinges

__all__ = [
    'ContrastiveLoss',
    'MatchingBCELoss',
    'TripletLoss',
    'caption_positives',
    'info_nce',
    'object_priors',
    'pair_labels',
    'prior_clustering',
    'triplet_hinges',
]
