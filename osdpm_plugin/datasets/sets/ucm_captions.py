"""UCM-Captions: 2100 images of 256 px in 21 classes, 5 captions each; official split 1680 / 210 / 210."""

from pathlib import PurePosixPath
from typing import Optional

from ...registry import DATASETS
from .caption_retrieval import CaptionRetrievalDataset
from .facts import Facts


@DATASETS.register_module()
class UCMCaptions(CaptionRetrievalDataset):
    """UCM-Captions in its official layout: ``dataset.json`` and ``imgs/*.tif``.

    Captions repeat across images so often that the tie rule of the metric changes Rsum by tens of points.

    Source: Qu et al., Deep Semantic Understanding of High Resolution Remote Sensing Image, CITS 2016.
    """

    FACTS = Facts(
        name='UCM-Captions',
        ann_file='dataset.json',
        image_dir='imgs',
        home='https://github.com/201528014227051/RSICD_optimal',
        how_to_get='its README links the archives of UCM-Captions and Sydney-Captions under "Other Datasets Source"',
        source='Qu et al., Deep Semantic Understanding of High Resolution Remote Sensing Image, CITS 2016',
        images=2100,
        captions_per_image=5,
        edge=256,
        num_classes=21,
        class_names=(
            *('agricultural', 'airplane', 'baseballdiamond', 'beach', 'buildings', 'chaparral', 'denseresidential'),
            *('forest', 'freeway', 'golfcourse', 'harbor', 'intersection', 'mediumresidential', 'mobilehomepark'),
            *('overpass', 'parkinglot', 'river', 'runway', 'sparseresidential', 'storagetanks', 'tenniscourt'),
        ),
        splits=dict(train=1680, val=210, test=210),
        notes=(
            'some images are slightly smaller than 256 px',
            'images 1180, 1277 and 1450 carry captions of farmland',
        ),
    )
    METAINFO = dict(dataset='UCM-Captions')

    def own_label(self, filename: str) -> Optional[str]:
        """The class that the number of an image says: UC Merced has 100 images of each class, in alphabetical order."""
        stem = PurePosixPath(filename).stem
        number = int(stem) if stem.isdecimal() else 0
        return self.FACTS.class_names[(number - 1) // 100] if 1 <= number <= 2100 else None
