"""UCM-Captions: 2100 images of 256 px in 21 classes, 5 captions each; official split 1680 / 210 / 210."""

from ..registry import DATASETS
from .caption_retrieval import CaptionRetrievalDataset


@DATASETS.register_module()
class UCMCaptions(CaptionRetrievalDataset):
    """UCM-Captions in its official layout: ``dataset.json`` and ``imgs/*.tif``.

    Captions repeat across images so much that the tie policy of the metric is worth tens of points of Rsum.

    Source: Qu et al., Deep Semantic Understanding of High Resolution Remote Sensing Image, CITS 2016.
    """

    ANN_FILE = 'dataset.json'
    IMAGE_DIR = 'imgs'
    HOME = 'https://github.com/201528014227051/RSICD_optimal'
    METAINFO = dict(dataset='UCM-Captions')
