"""Data root, annotation file, split -> one item an image, with all its captions: the registered data sets.

A published set is its `Facts` (see ``rsicd``); `CaptionDataset` reads a user's own files.
"""

from .caption_dataset import CaptionDataset
from .caption_retrieval import CaptionRetrievalDataset
from .labelled_images import LabelledImageDataset
from .mixed import MixedDataset
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
    'LabelledImageDataset',
    'MixedDataset',
    'NWPUCaptions',
    'PrecompCaptions',
    'ProceduralScenes',
    'SeedByPosition',
    'SydneyCaptions',
    'UCMCaptions',
]
