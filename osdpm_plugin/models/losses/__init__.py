"""Scores or logits, and what they should be -> scalar loss: pure functions, and registered modules that hold
parameters.
"""

from .contrastive import ContrastiveLoss, caption_positives, info_nce
from .prior_clustering import object_priors, prior_clustering

__all__ = ['ContrastiveLoss', 'caption_positives', 'info_nce', 'object_priors', 'prior_clustering']
