"""RSITMD: 4743 images of 256 px, 5 captions each; official split 4291 train / 452 test."""

from ..registry import DATASETS
from .caption_retrieval import CaptionRetrievalDataset


@DATASETS.register_module()
class RSITMD(CaptionRetrievalDataset):
    """RSITMD in its official layout: ``dataset_RSITMD.json`` and ``images/*.tif``.

    The file has no val split: ``val_fraction`` of train is held out by a hash of the file name.

    Source: Yuan et al., Exploring a Fine-Grained Multiscale Method for Cross-Modal Remote Sensing Image Retrieval,
        TGRS 2022.
    """

    ANN_FILE = 'dataset_RSITMD.json'
    IMAGE_DIR = 'images'
    HOME = 'https://github.com/xiaoyuan1996/AMFMN/tree/master/RSITMD'
    METAINFO = dict(dataset='RSITMD')
