"""(B, 3, H, W) images -> ImageFeatures: maps ((B, C, h, w), ...) and pooled (B, D) or None;
(M, T) int64 tokens -> TextFeatures: words (M, T, C), mask (M, T) bool, pooled (M, D).

The two towers of a retriever are separate modules, each with its half of the weights. Nothing is normalised here.
"""

from .compressed_tower import CompressedTower
from .gru_text_tower import GRUTextTower
from .hf_text_tower import HFTextTower
from .open_clip_image_tower import OpenCLIPImageTower
from .open_clip_text_tower import OpenCLIPTextTower
from .word_embedding import WordEmbedding

__all__ = [
    'CompressedTower',
    'GRUTextTower',
    'HFTextTower',
    'OpenCLIPImageTower',
    'OpenCLIPTextTower',
    'WordEmbedding',
]
