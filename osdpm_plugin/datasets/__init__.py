"""Files -> ``dict(image_id, img_path, captions, caption_ids)``, one item an image -> the pipeline of transforms.

- ``annotations``: annotation files -> records of images with their splits, without excluded images;
- ``images``: image files -> bands as they are stored -> three 8-bit bands; region files -> regions of objects;
- ``text``: captions -> keys of equal texts, and token ids;
- ``lexicon``: captions -> object categories;
- ``scenes``: a seed -> an aerial-like picture with captions;
- ``transforms``: an item -> tensors and a `RetrievalDataSample`;
- ``sets``: the registered data sets, which join all of these;
- ``config_views``: a config -> its test pipeline, and the data sets that it names inside wrappers.
"""

from . import text, transforms
from .sets import (
    RSICD,
    RSITMD,
    CaptionDataset,
    CaptionRetrievalDataset,
    LabelledImageDataset,
    MixedDataset,
    NWPUCaptions,
    PrecompCaptions,
    ProceduralScenes,
    SeedByPosition,
    SydneyCaptions,
    UCMCaptions,
)

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
    'text',
    'transforms',
]
