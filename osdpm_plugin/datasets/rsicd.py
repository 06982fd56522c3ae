"""RSICD: 10921 images of 224 px, 5 captions each; official split 8734 / 1094 / 1093."""

from ..registry import DATASETS
from .caption_retrieval import CaptionRetrievalDataset


@DATASETS.register_module()
class RSICD(CaptionRetrievalDataset):
    """RSICD in its official layout: ``dataset_rsicd.json`` and ``RSICD_images/*.jpg``.

    Source: Lu et al., Exploring Models and Data for Remote Sensing Image Caption Generation, TGRS 2018.
    """

    ANN_FILE = 'dataset_rsicd.json'
    IMAGE_DIR = 'RSICD_images'
    HOME = 'https://github.com/201528014227051/RSICD_optimal'
    METAINFO = dict(dataset='RSICD')
