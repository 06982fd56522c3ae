"""LW-MCR (TGRS 2022): two light towers, trained alone or by the hidden supervision of a trained retriever.

Its code was never published, so all of this folder is read off the paper; each docstring says what is ours.
"""

from .distillation import HiddenSupervisionLoss, relation_distillation, score_distillation
from .distilled_retriever import DistilledRetriever
from .light_multiscale_cnn import LightMultiScaleCNN
from .light_text_cnn import LightTextCNN

__all__ = [
    'DistilledRetriever',
    'HiddenSupervisionLoss',
    'LightMultiScaleCNN',
    'LightTextCNN',
    'relation_distillation',
    'score_distillation',
]
