"""A user's own images and one annotation file -> items, without code."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional

from ...errors import DataError
from ...registry import DATASETS
from ..annotations.read import read_annotations
from ..annotations.records import ImageRecord
from .caption_retrieval import CaptionRetrievalDataset
from .facts import Facts


@DATASETS.register_module()
class CaptionDataset(CaptionRetrievalDataset):
    """Own images and captions: ``CaptionDataset(data_root='my_data', ann_file='captions.csv')``.

    The annotation file is a table (``filename,caption[,split]``), JSON lines (``{"filename": .., "captions": [..]}``),
    JSON or one of the other layouts of `read_annotations`. File names are relative to ``data_root``, or to
    ``image_dir`` if that is given; absolute ones may begin with it.

    Args:
        data_root: folder of the data.
        ann_file: annotation file relative to ``data_root``; ``.`` for a folder with ``metadata.csv`` or
            ``metadata.jsonl``.
        split: a split that the file names, see `CaptionRetrievalDataset`; None takes every image. A file that names
            train, perhaps test, and no other split: ``val_fraction`` of train becomes val if train or val is asked for.
        **kwargs: the other arguments of `CaptionRetrievalDataset`. ``image_dir``, relative to ``data_root``, is the
            folder that file names are relative to; None: ``data_root``.

    Raises:
        DataError: see `CaptionRetrievalDataset`.

    Example:
        >>> import tempfile, cv2, numpy as np
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name in ('a.png', 'b.png'):
        ...         assert cv2.imwrite(f'{folder}/{name}', np.zeros((4, 4, 3), np.uint8))
        ...     with open(f'{folder}/captions.csv', 'w') as file:
        ...         for line in ('filename,caption', 'a.png,a river', 'a.png,a bridge', 'b.png,a park'):
        ...             print(line, file=file)
        ...     data = CaptionDataset(data_root=folder, ann_file='captions.csv')
        >>> [(item['image_id'], item['captions'], item['caption_ids']) for item in data]
        [(0, ['a river', 'a bridge'], [0, 1]), (1, ['a park'], [2])]
    """

    FACTS = Facts(name='own data', image_dir='', home='wherever it is kept')
    METAINFO = dict(dataset='own data')

    def __init__(self, *, data_root: str, ann_file: str, split: Optional[str] = None, **kwargs: Any) -> None:
        super().__init__(data_root=data_root, ann_file=ann_file, split=split, **kwargs)

    def load_data_list(self) -> list[dict]:
        """See `CaptionRetrievalDataset`.

        Raises:
            DataError: files are missing or unusable.
        """
        for what, path in (('annotation file', Path(self.ann_file)), ('folder of images', self.images)):
            if not path.exists():
                raise DataError(
                    f'CaptionDataset: the {what} {path} does not exist; set data_root to the folder of your data, '
                    'ann_file to the file of captions in it, image_dir to the folder in it that holds the images'
                )
        return super().load_data_list()

    def read_records(self) -> list[ImageRecord]:
        """All images of the annotation file.

        Raises:
            DataError: the file is unusable.
        """
        return read_annotations(Path(self.ann_file), blank_captions=self.blank_captions, images=self.images)
