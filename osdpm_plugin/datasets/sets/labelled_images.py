"""Images with object labels and without captions -> items of a training that clusters by labels."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any, Optional, Sequence

from ...errors import ConfigError, DataError
from ...registry import DATASETS
from ..annotations.box_files import read_box_folder
from ..annotations.label_files import read_label_file
from ..annotations.labels_in_names import FOLDER, labelled_images
from ..annotations.records import ImageRecord, Labels
from .caption_retrieval import CaptionRetrievalDataset
from .facts import Facts


@DATASETS.register_module()
class LabelledImageDataset(CaptionRetrievalDataset):
    """Scene-classification or detection images, e.g. ``LabelledImageDataset(data_root='AID', image_dir='images')``.

    An item is that of `CaptionRetrievalDataset` with empty ``captions`` and ``caption_ids``, and with ``labels``: a
    category of objects -> how often the image shows it. Labels are mapped to categories of the lexicon, see
    `categories_of_labels`. `MixedDataset` mixes such sets with captioned ones.

    Args:
        data_root: folder of the data.
        labels: where labels stand if there is no ``ann_file``: ``folder`` (class folders, below folders of splits if
            all images lie in such), ``name`` (``airport_12.jpg``) or a regular expression with a group ``label``, see
            `label_rule`.
        ann_file: file of labels relative to ``data_root``, see `read_label_file`, or a folder with a text file of boxes
            for each image, see `read_box_folder`; None: labels stand in file names.
        split: see `CaptionRetrievalDataset`; None takes every image. A set that names train, perhaps test, and no other
            split: ``val_fraction`` of train becomes val if train or val is asked for.
        **kwargs: the other arguments of `CaptionRetrievalDataset`. ``image_dir``, relative to ``data_root``, is the
            folder of images; None: ``data_root``.

    Raises:
        DataError: see `CaptionRetrievalDataset`.
        ConfigError: ``labels`` is no rule, or ``own``.

    Example:
        >>> import tempfile, cv2, numpy as np
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name in ('Airport', 'DenseResidential'):
        ...         Path(folder, name).mkdir()
        ...         assert cv2.imwrite(f'{folder}/{name}/1.png', np.zeros((4, 4, 3), np.uint8))
        ...     data = LabelledImageDataset(data_root=folder)
        >>> [(item['image_id'], item['captions'], item['labels']) for item in data]
        [(0, [], {'airport': 1.0}), (1, [], {'residential area': 1.0})]
    """

    FACTS = Facts(name='labelled images', ann_file='', image_dir='', home='wherever it is kept')
    METAINFO = dict(dataset='labelled images')

    def __init__(
        self,
        *,
        data_root: str,
        labels: str = FOLDER,
        ann_file: Optional[str] = None,
        split: Optional[str] = None,
        **kwargs: Any,
    ) -> None:
        if labels == 'own':
            raise ConfigError("LabelledImageDataset: labels='own' is for published sets of captions; name the rule")
        self._in_names = ann_file is None
        super().__init__(data_root=data_root, labels=labels, ann_file=ann_file, split=split, **kwargs)

    def load_data_list(self) -> list[dict]:
        """See `CaptionRetrievalDataset`.

        Raises:
            DataError: files are missing or unusable.
        """
        for what, path in (('file of labels', Path(self.ann_file)), ('folder of images', self.images)):
            if not path.exists():
                raise DataError(
                    f'LabelledImageDataset: the {what} {path} does not exist; set data_root to the folder of the data, '
                    'ann_file to its file of labels if there is one, image_dir to the folder of images in it'
                )
        return super().load_data_list()

    def read_records(self) -> list[ImageRecord]:
        """All images; their labels are kept for `read_labels`.

        Raises:
            DataError: files are unusable.
        """
        path = Path(self.ann_file)
        if self._in_names:
            records, self._labels = labelled_images(self.images, str(self.labels))
        elif path.is_dir():
            records, self._labels = read_box_folder(path, self.images)
        else:
            records, self._labels = read_label_file(path, self.images)
        return records

    def read_labels(self, records: Sequence[ImageRecord]) -> Labels:
        """The labels that `read_records` found."""
        return self._labels

    @functools.cached_property
    def _places(self) -> dict[str, int]:
        """Label -> its place among all labels of the set."""
        names = {name for index in range(len(self)) for name in self.get_data_info(index)['labels']}
        return {name: place for place, name in enumerate(sorted(names))}

    def get_cat_ids(self, idx: int) -> list[int]:
        """See `CaptionRetrievalDataset`; by the places of the labels among all labels of the set."""
        return [self._places[name] for name in self.get_data_info(idx)['labels']]
