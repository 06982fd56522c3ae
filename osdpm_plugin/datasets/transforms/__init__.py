"""One item of a data set -> tensors and a `RetrievalDataSample`.

Loading, resizing, cropping and flipping are mmcv's and mmpretrain's (``LoadImageFromFile``,
``mmpretrain.RandomResizedCrop``, ``RandomFlip``); this folder adds what they lack.
"""

import mmcv.transforms  # noqa: F401  (registers LoadImageFromFile, Resize, RandomFlip ...)

from .count_objects import CountObjects
from .load_decoded_image import LoadDecodedImage
from .load_regions import LoadRegions
from .load_remote_sensing_image import LoadRemoteSensingImage
from .pack import PackRetrievalInputs
from .random_rotate90 import RandomRotate90
from .sample_captions import SampleCaptions
from .tokenize_captions import TokenizeCaptions

__all__ = [
    'CountObjects',
    'LoadDecodedImage',
    'LoadRegions',
    'LoadRemoteSensingImage',
    'PackRetrievalInputs',
    'RandomRotate90',
    'SampleCaptions',
    'TokenizeCaptions',
]
