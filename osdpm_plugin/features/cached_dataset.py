"""A data set of images and captions -> items with cached tower features in place of pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional, Sequence

import numpy as np
from torch.utils.data import Dataset

from ..datasets.transforms import PackRetrievalInputs
from ..errors import DataError
from ..registry import DATASETS
from ..structures import RetrievalDataSample
from .cache_files import damaged
from .fingerprints import data_hash, transform_hash
from .store import FeatureStore, from_rows

CAPTION_CHOICES = ('CountObjects', 'SampleCaptions')  # no feature depends on them
CAPTION_TRANSFORMS = (*CAPTION_CHOICES, 'TokenizeCaptions')


@DATASETS.register_module()
class CachedFeatureDataset(Dataset):
    """Join the captions of a data set with cached features.

    An item: ``dict(inputs=dict(maps=[(C, h, w), ...], pooled=(D,) where there is one), data_samples=...)`` with
    ``tower_pooled`` (K, C), ``tower_words`` (K, T, C) and ``tower_lengths`` (K,) in the sample. Of a tower that is
    frozen in part, what its frozen part gives: ``inputs=dict(cut=[(V, ...), ...])``, one view in training, and a sample
    without ``tower_pooled``.

    In training a view is drawn for each item and epoch; in evaluation, where the cache holds V > 1 views, maps are
    (V, C, h, w). What the cache lacks, images or words of a tower that is trained whole, comes from the data set.

    Set ``with_words`` to False if the model does not read words, which are most of the data of an item: a caption then
    has one word, its pooled vector.

    Args:
        cache: folder that tools/cache_features.py wrote.
        dataset: config of the data set.
        folder: name of its split in the cache; None: that of the data set.

    Raises:
        DataError: the cache is missing, incomplete, damaged, or of other images, captions or transforms.
    """

    def __init__(self, *, cache: str, dataset: Any, folder: Optional[str] = None) -> None:
        pipeline = list(dataset['pipeline'])
        split = folder or dataset['split']
        self.store = FeatureStore(cache, split)
        self._loads_images = 'image_tower' not in self.store.towers
        if not self._loads_images:
            steps: tuple[str, ...] = CAPTION_TRANSFORMS
            if 'text_tower' in self.store.towers and not dataset.get('test_mode', False):
                steps = CAPTION_CHOICES  # training needs no tokens if word features are cached
            dataset = dict(dataset, pipeline=[step for step in pipeline if step['type'] in steps], check='none')
        self.dataset = DATASETS.build(dataset)
        facts = self.store.manifest['splits'].get(split)
        if facts is None:
            raise damaged(Path(cache, 'manifest.json'), f'no split {split}')
        if facts['data_hash'] != data_hash(self.dataset):
            raise DataError(f'{cache}: images or captions of {split} differ from those that were cached; cache again')
        if facts['transform_hash'] != transform_hash(cached_steps(pipeline, self.store.towers)):
            raise DataError(
                f'{cache}: the transforms or the tokenizer of {split} differ from those that were cached; cache again'
            )
        self._check_ids(Path(cache, split, 'index.json'))
        self.test_mode = bool(dataset.get('test_mode', False))
        self.with_words = True
        self._pack = PackRetrievalInputs()

    def _check_ids(self, path: Path) -> None:
        """The hash proved that the data are the same, so their ids must be in the same order."""
        infos = [self.dataset.get_data_info(index) for index in range(len(self.dataset))]
        if list(self.store.row_of_image) != [info['image_id'] for info in infos]:
            raise damaged(path, 'other image ids')
        caption_ids = [i for info in infos for i in info['caption_ids']]
        if 'text_tower' in self.store.towers and list(self.store.row_of_caption) != caption_ids:
            raise damaged(path, 'other caption ids')

    @property
    def metainfo(self) -> dict:
        """Of the data set."""
        return self.dataset.metainfo

    def seed_epoch(self, seed: int, epoch: int) -> None:
        """See `CaptionRetrievalDataset.seed_epoch`."""
        self.dataset.seed_epoch(seed, epoch)

    def seed_position(self, position: int) -> None:
        """See `CaptionRetrievalDataset.seed_position`."""
        self.dataset.seed_position(position)

    def hide_captions(self, fraction: float, seed: int = 0) -> None:
        """See `CaptionRetrievalDataset.hide_captions`."""
        self.dataset.hide_captions(fraction, seed)

    def get_data_info(self, index: int) -> dict:
        """See mmengine's BaseDataset."""
        return self.dataset.get_data_info(index)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> dict:
        item = self.dataset[index]
        if not self._loads_images:
            item = dict(inputs=self._image_features(item['image_id']), data_samples=self._pack.pack_captions(item))
        if 'text_tower' in self.store.towers and len(item['data_samples'].caption_ids):
            self._add_text_features(item['data_samples'])
        return item

    def _image_features(self, image_id: int) -> dict[str, Any]:
        store = self.store
        view: Any = 0
        if store.views > 1:
            view = slice(None) if self.test_mode else int(np.random.randint(store.views))
        row = store.row_of_image[image_id]
        if store.cut:
            views = view if isinstance(view, slice) else slice(view, view + 1)
            return dict(cut=[from_rows(values[views, row]) for values in store.cut])
        inputs: dict[str, Any] = dict(maps=[from_rows(m[view, row]) for m in store.maps])
        if store.pooled is not None:
            inputs['pooled'] = from_rows(store.pooled[view, row])
        return inputs

    def _add_text_features(self, sample: RetrievalDataSample) -> None:
        store = self.store
        rows = [store.row_of_caption[i] for i in sample.caption_ids.tolist()]
        if store.states is not None and store.lengths is not None:
            sample.tower_words, sample.tower_lengths = store.states_of(rows), store.lengths[rows]
            return
        assert store.text is not None and store.words is not None and store.lengths is not None
        sample.tower_pooled = store.text[rows]
        if not self.with_words:
            sample.tower_words, sample.tower_lengths = sample.tower_pooled[:, None], np.ones(len(rows), np.int64)
            return
        sample.tower_lengths = store.lengths[rows]
        sample.tower_words = from_rows(store.words[rows, : sample.tower_lengths.max()]).float().numpy()


def cached_steps(pipeline: Any, towers: Sequence[str]) -> dict:
    """The steps of a pipeline that features depend on, as plain data: those that touch pixels, and the tokenizer where
    the text tower is among ``towers``.
    """
    without = CAPTION_CHOICES if 'text_tower' in towers else CAPTION_TRANSFORMS
    return dict(steps=[dict(step) for step in pipeline if step['type'] not in without])
