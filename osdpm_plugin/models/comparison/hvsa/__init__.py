"""HVSA (TGRS 2023): key-entity attention, a curriculum over triplets, and embeddings spread over the hypersphere."""

from .curriculum_triplet import CurriculumTripletLoss
from .hvsa_head import HVSAHead
from .key_entity_attention import KeyEntityAttention
from .uniformity import UniformityLoss, uniformity

__all__ = ['CurriculumTripletLoss', 'HVSAHead', 'KeyEntityAttention', 'UniformityLoss', 'uniformity']
