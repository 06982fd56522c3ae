"""NWPU-Captions: 31500 images of 256 px in 45 classes, 5 captions each."""

from __future__ import annotations

from pathlib import Path

from ...registry import DATASETS
from ..annotations.nwpu import read_nwpu_json
from ..annotations.records import ImageRecord
from .caption_retrieval import CaptionRetrievalDataset
from .facts import Facts


@DATASETS.register_module()
class NWPUCaptions(CaptionRetrievalDataset):
    """NWPU-Captions in its official layout: ``dataset_nwpu.json`` and ``NWPU_images/<class>/*.jpg``.

    The published archive of images lacks ``airplane/airplane_111.jpg``, which the annotation file names: fetch it from
    NWPU-RESISC45, or name it in an ``exclude_list``.

    Source: Cheng et al., NWPU-Captions Dataset and MLCA-Net for Remote Sensing Image Captioning, TGRS 2022.
    """

    FACTS = Facts(
        name='NWPU-Captions',
        ann_file='dataset_nwpu.json',
        image_dir='NWPU_images',
        home='https://github.com/HaiyanHuang98/NWPU-Captions',
        how_to_get='NWPU_images.tar.gz is stored with Git LFS',
        source='Cheng et al., NWPU-Captions Dataset and MLCA-Net for Remote Sensing Image Captioning, TGRS 2022',
        images=31500,
        captions_per_image=5,
        edge=256,
        num_classes=45,
        class_names=(
            *('airplane', 'airport', 'baseball_diamond', 'basketball_court', 'beach', 'bridge', 'chaparral', 'church'),
            *('circular_farmland', 'cloud', 'commercial_area', 'dense_residential', 'desert', 'forest', 'freeway'),
            *('golf_course', 'ground_track_field', 'harbor', 'industrial_area', 'intersection', 'island', 'lake'),
            *('meadow', 'medium_residential', 'mobile_home_park', 'mountain', 'overpass', 'palace', 'parking_lot'),
            *('railway', 'railway_station', 'rectangular_farmland', 'river', 'roundabout', 'runway', 'sea_ice'),
            *('ship', 'snowberg', 'sparse_residential', 'stadium', 'storage_tank', 'tennis_court', 'terrace'),
            *('thermal_power_station', 'wetland'),
        ),
        notes=(
            'the archive of images lacks airplane_111.jpg (HaiyanHuang98/NWPU-Captions#2)',
            'sizes of the splits: not counted, since we did not have the official file',
        ),
    )
    METAINFO = dict(dataset='NWPU-Captions')

    def read_records(self) -> list[ImageRecord]:
        """All images of the annotation file.

        Raises:
            DataError: the file is unusable.
        """
        return read_nwpu_json(Path(self.ann_file), blank_captions=self.blank_captions, images=self.images)
