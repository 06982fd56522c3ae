"""The compared methods: what each has of its own. Names as in ``configs/comparison``.

- ``scan``, ``camp``, ``mtfn``: similarities of pairs of their papers;
- ``amfmn``, ``galr``, ``hvsa``, ``lw_mcr``: a folder each.

VSE++ has nothing of its own: GRU and linear layers, `TripletLoss` with the hardest negatives. What several methods
share stands in ``backbones necks heads losses similarities retrievers``, from which this room imports; none of them
imports it.
"""

from .amfmn import MultiScaleSelfAttention, VisualGuidedSimilarity
from .camp import CrossModalMessagePassing
from .galr import GlobalLocalNeck
from .hvsa import CurriculumTripletLoss, HVSAHead, KeyEntityAttention, UniformityLoss, uniformity
from .lw_mcr import (
    DistilledRetriever,
    HiddenSupervisionLoss,
    LightMultiScaleCNN,
    LightTextCNN,
    relation_distillation,
    score_distillation,
)
from .mtfn import TensorFusion
from .scan import StackedCrossAttention

__all__ = [
    'CrossModalMessagePassing',
    'CurriculumTripletLoss',
    'DistilledRetriever',
    'GlobalLocalNeck',
    'HVSAHead',
    'HiddenSupervisionLoss',
    'KeyEntityAttention',
    'LightMultiScaleCNN',
    'LightTextCNN',
    'MultiScaleSelfAttention',
    'StackedCrossAttention',
    'TensorFusion',
    'UniformityLoss',
    'VisualGuidedSimilarity',
    'relation_distillation',
    'score_distillation',
    'uniformity',
]
