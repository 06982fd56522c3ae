"""A data set whose items carry the towers' features instead of pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from ..datasets.transforms import PackRetrievalInputs
from ..errors import DataError
from ..registry import DATASETS
from .fingerprints import data_hash, transform_hash
from .store import FeatureStore

CAPTION_CHOICES = ('CountObjects', 'SampleCaptions')  # no feature depends on them
CAPTION_TRANSFORMS = (*CAPTION_CHOICES, 'TokenizeCaptions')


@DATASETS.register_module()
class CachedFeatureDataset(Dataset):
    """Join the captions of a data set with cached features.

    An item: ``dict(inputs=dict(maps=[(C, h, w), ...], pooled=(D,) where there is one), data_samples=...)`` with
    ``text_pooled`` (K, C) in the sample. In training a view is drawn for each item and epoch.

    Args:
        cache: folder that tools/cache_features.py wrote.
        dataset: config of the data set that was cached; of its pipeline the caption transforms are kept.

    Raises:
        DataError: the cache is missing, incomplete, or of other images, captions or transforms.
    """

    def __init__(self, *, cache: str, dataset: Any) -> None:
        pipeline = list(dataset['pipeline'])
        kept = [step for step in pipeline if step['type'] in CAPTION_TRANSFORMS]
        self.dataset = DATASETS.build(dict(dataset, pipeline=kept, check='none'))
        split = dataset['split']
        self.store = FeatureStore(cache, split)
        facts = self.store.manifest['splits'][split]
        if facts['data_hash'] != data_hash(self.dataset):
            raise DataError(f'{cache}: images or captions of {split} differ from those that were cached; cache again')
        if facts['transform_hash'] != transform_hash(cached_steps(pipeline)):
            raise DataError(
                f'{cache}: the transforms or the tokenizer of {split} differ from those that were cached; cache again'
            )
        self.test_mode = bool(dataset.get('test_mode', False))
        self._pack = PackRetrievalInputs()

    @property
    def metainfo(self) -> dict:
        """Of the data set."""
        return self.dataset.metainfo

    def seed_epoch(self, seed: int, epoch: int) -> None:
        """See `CaptionRetrievalDataset.seed_epoch`."""
        self.dataset.seed_epoch(seed, epoch)

    def get_data_info(self, index: int) -> dict:
        """See mmengine's BaseDataset."""
        return self.dataset.get_data_info(index)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> dict:
        item = self.dataset[index]
        view = int(np.random.randint(self.store.views)) if self.store.views > 1 and not self.test_mode else 0
        row = self.store.row_of_image[item['image_id']]
        inputs: dict[str, Any] = dict(maps=[_tensor(m[view, row]) for m in self.store.maps])
        if self.store.pooled is not None:
            inputs['pooled'] = _tensor(self.store.pooled[view, row])
        sample = self._pack.pack_captions(item)
        sample.text_pooled = self.store.text[[self.store.row_of_caption[i] for i in item['caption_ids']]]
        return dict(inputs=inputs, data_samples=sample)


def cached_steps(pipeline: Any) -> dict:
    """The steps of a pipeline that features depend on, as plain data: those that touch pixels, and the tokenizer."""
    steps = [dict(step) for step in pipeline if step['type'] not in CAPTION_CHOICES]
    return dict(steps=steps)


def _tensor(row: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.array(row))
