"""RSITMD: 4743 images of 256 px, 5 captions each; official split 4291 train / 452 test."""

from ...registry import DATASETS
from ..annotations.records import BlankCaptions
from .caption_retrieval import CaptionRetrievalDataset
from .facts import Facts


@DATASETS.register_module()
class RSITMD(CaptionRetrievalDataset):
    """RSITMD in its official layout: ``dataset_RSITMD.json`` and ``images/*.tif``.

    The file has no val split: ``val_fraction`` of train is held out by a hash of the file name, unless
    ``split_convention`` says how to cut.

    Files older than 28 October 2021 hold four training images whose captions are all blank. By default blank captions
    are dropped, and these images with them; a warning names them.

    Source: Yuan et al., Exploring a Fine-Grained Multiscale Method for Cross-Modal Remote Sensing Image Retrieval,
        TGRS 2022.
    """

    FACTS = Facts(
        name='RSITMD',
        ann_file='dataset_RSITMD.json',
        image_dir='images',
        home='https://github.com/xiaoyuan1996/AMFMN/tree/master/RSITMD',
        source='Yuan et al., Exploring a Fine-Grained Multiscale Method for Cross-Modal Remote Sensing Image '
        'Retrieval, TGRS 2022',
        images=4743,
        captions_per_image=5,
        edge=256,
        num_classes=32,
        splits=dict(train=4291, test=452),
        notes=(
            'the paper says 32 classes, the file names have 33 prefixes',
            'images of RSICD come again: joint training needs de-duplication',
            'files older than 28 October 2021 lack the captions of four training images',
        ),
    )
    BLANK_CAPTIONS: BlankCaptions = 'drop'
    METAINFO = dict(dataset='RSITMD')
