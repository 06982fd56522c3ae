"""RSICD: 10921 images of 224 px, 5 captions each; official split 8734 / 1094 / 1093."""

from typing import Optional

from ...registry import DATASETS
from ..annotations.labels_in_names import NAME, label_rule
from ..annotations.records import BlankCaptions
from .caption_retrieval import CaptionRetrievalDataset
from .facts import Facts


@DATASETS.register_module()
class RSICD(CaptionRetrievalDataset):
    """RSICD in its official layout: ``dataset_rsicd.json`` and ``RSICD_images/*.jpg``.

    The official file holds captions of a lone full stop (bridge_218, bridge_59, parking_211), so blank captions are
    dropped by default; every image keeps others.

    Source: Lu et al., Exploring Models and Data for Remote Sensing Image Caption Generation, TGRS 2018.
    """

    FACTS = Facts(
        name='RSICD',
        ann_file='dataset_rsicd.json',
        image_dir='RSICD_images',
        home='https://github.com/201528014227051/RSICD_optimal',
        source='Lu et al., Exploring Models and Data for Remote Sensing Image Caption Generation, TGRS 2018, '
        'doi 10.1109/TGRS.2017.2776321',
        images=10921,
        captions_per_image=5,
        edge=224,
        num_classes=30,
        class_names=(
            *('airport', 'bareland', 'baseballfield', 'beach', 'bridge', 'center', 'church', 'commercial'),
            *('denseresidential', 'desert', 'farmland', 'forest', 'industrial', 'meadow', 'mediumresidential'),
            *('mountain', 'park', 'parking', 'playground', 'pond', 'port', 'railwaystation', 'resort', 'river'),
            *('school', 'sparseresidential', 'square', 'stadium', 'storagetanks', 'viaduct'),
        ),
        splits=dict(train=8734, val=1094, test=1093),
        notes=(
            'captions of a lone full stop: bridge_218 and parking_211 (train), bridge_59 (val)',
            'many images have five equal captions, and images share captions: see the tie rule of the metric',
            'the class stands in the file name; some test names are purely numeric and have none',
        ),
    )
    BLANK_CAPTIONS: BlankCaptions = 'drop'
    METAINFO = dict(dataset='RSICD')

    def own_label(self, filename: str) -> Optional[str]:
        """The class in the file name: ``airport_12.jpg``."""
        return label_rule(NAME)(filename)
