"""Files -> ``dict(image_id, img_path, captions, caption_ids)``, one item an image, then the pipeline of transforms."""

from . import tokenizers, transforms, word_tokenizer
from .caption_dataset import CaptionDataset
from .caption_retrieval import CaptionRetrievalDataset
from .nwpu_captions import NWPUCaptions
from .precomp_captions import PrecompCaptions
from .procedural_scenes import ProceduralScenes
from .rsicd import RSICD
from .rsitmd import RSITMD
from .seed_by_position import SeedByPosition
from .sydney_captions import SydneyCaptions
from .ucm_captions import UCMCaptions

__all__ = [
    'RSICD',
    'RSITMD',
    'CaptionDataset',
    'CaptionRetrievalDataset',
    'NWPUCaptions',
    'PrecompCaptions',
    'ProceduralScenes',
    'SeedByPosition',
    'SydneyCaptions',
    'UCMCaptions',
    'tokenizers',
    'transforms',
    'word_tokenizer',
]
