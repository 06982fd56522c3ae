"""Scores or logits, and what they should be -> scalar loss: pure functions, and registered modules that hold
parameters.
"""

from .contrastive import ContrastiveLoss, caption_positives, info_nce, pair_labels
from .curriculum_triplet import CurriculumTripletLoss
from .distillation import HiddenSupervisionLoss, relation_distillation, score_distillation
from .matching_bce import MatchingBCELoss
from .prior_clustering import object_priors, prior_clustering
from .triplet import TripletLoss, triplet_hinges
from .uniformity import UniformityLoss, uniformity

__all__ = [
    'ContrastiveLoss',
    'CurriculumTripletLoss',
    'HiddenSupervisionLoss',
    'MatchingBCELoss',
    'TripletLoss',
    'UniformityLoss',
    'caption_positives',
    'info_nce',
    'object_priors',
    'pair_labels',
    'prior_clustering',
    'relation_distillation',
    'score_distillation',
    'triplet_hinges',
    'uniformity',
]
