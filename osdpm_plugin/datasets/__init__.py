"""Files -> ``dict(image_id, img_path, captions, caption_ids)``, one item an image, then the pipeline of transforms."""

from . import tokenizers, transforms
from .caption_retrieval import CaptionRetrievalDataset
from .procedural_scenes import ProceduralScenes
from .rsicd import RSICD
from .rsitmd import RSITMD
from .ucm_captions import UCMCaptions

__all__ = ['RSICD', 'RSITMD', 'CaptionRetrievalDataset', 'ProceduralScenes', 'UCMCaptions', 'tokenizers', 'transforms']
