"""Sydney-Captions: 613 images of 500 px in 7 classes, 5 captions each; official split 497 / 58 / 58."""

from ...registry import DATASETS
from .caption_retrieval import CaptionRetrievalDataset
from .facts import Facts


@DATASETS.register_module()
class SydneyCaptions(CaptionRetrievalDataset):
    """Sydney-Captions in its official layout: ``dataset.json`` and ``imgs/*.tif``.

    Source: Qu et al., Deep Semantic Understanding of High Resolution Remote Sensing Image, CITS 2016.
    """

    FACTS = Facts(
        name='Sydney-Captions',
        ann_file='dataset.json',
        image_dir='imgs',
        home='https://github.com/201528014227051/RSICD_optimal',
        how_to_get='its README links the archives of UCM-Captions and Sydney-Captions under "Other Datasets Source"',
        source='Qu et al., Deep Semantic Understanding of High Resolution Remote Sensing Image, CITS 2016',
        images=613,
        captions_per_image=5,
        edge=500,
        num_classes=7,
        splits=dict(train=497, val=58, test=58),
        notes=('sizes are those of the literature; not counted, since we did not have the official file',),
    )
    METAINFO = dict(dataset='Sydney-Captions')
