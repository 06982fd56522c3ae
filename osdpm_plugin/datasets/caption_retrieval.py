"""The base of all data sets: files -> one item an image, with all its captions."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from pathlib import Path
from typing import Any, Optional, Sequence, Union

import numpy as np
import torch
from mmengine.dataset import BaseDataset

from ..errors import ConfigError, DataError
from ..registry import DATASETS
from .annotations import BlankCaptions, ImageRecord, read_karpathy_json
from .image_check import ImageCheck, check_images


@DATASETS.register_module()
class CaptionRetrievalDataset(BaseDataset):
    """Images with captions in the Karpathy JSON layout.

    An item, before the pipeline: ``dict(image_id: int, img_path: str, captions: list[str], caption_ids: list[int])``.
    There is one item an image in training and in evaluation alike; a transform samples captions for training.

    After `seed_epoch`, the random choices of the pipeline are a function of (seed, epoch, item): the same for any
    number of workers, and in a run that was interrupted and resumed.

    A subclass states facts of one published set: file names, where to get it.

    Args:
        data_root: folder of the set.
        split: a split named in the annotation file; ``trainval`` joins both. Where the file has no ``val`` (RSITMD), a
            share ``val_fraction`` of ``train`` becomes ``val``.
        pipeline: configs of transforms.
        ann_file: annotation file relative to ``data_root``; the set's official name when None.
        image_dir: folder of images relative to ``data_root``; the set's official name when None.
        test_mode: an item that cannot be loaded is an error at once (mmengine's meaning).
        val_fraction: share of ``train`` that becomes ``val`` where the file has none. The cut is a function of file
            names.
        blank_captions: ``raise`` an error for a caption without words, or ``drop`` it.
        check: how images are checked at start-up: ``decode`` every one, ``exists``, or ``none``.
        indices: the first n items or a list of positions, for quick trials (mmengine's meaning).
        metainfo: extra meta information.

    Raises:
        DataError: files are missing or unusable; the sentence names the file and the remedy.
        ConfigError: an argument is out of range.
    """

    ANN_FILE: str = 'dataset.json'
    IMAGE_DIR: str = 'images'
    HOME: str = 'the address where its authors publish it'
    METAINFO: dict[str, Any] = {}

    def __init__(
        self,
        *,
        data_root: str,
        split: str,
        pipeline: Sequence[Any] = (),
        ann_file: Optional[str] = None,
        image_dir: Optional[str] = None,
        test_mode: bool = False,
        val_fraction: float = 0.1,
        blank_captions: BlankCaptions = 'raise',
        check: ImageCheck = 'decode',
        indices: Union[int, Sequence[int], None] = None,
        metainfo: Optional[dict] = None,
    ) -> None:
        if not 0 < val_fraction < 1:
            raise ConfigError(f'val_fraction must lie between 0 and 1, got {val_fraction}')
        for key, value, allowed in (
            ('blank_captions', blank_captions, ('raise', 'drop')),
            ('check', check, ('decode', 'exists', 'none')),
        ):
            if value not in allowed:
                raise ConfigError(f'{key} must be one of {allowed}, got {value!r}')
        self.split = split
        self.val_fraction = val_fraction
        self.blank_captions = blank_captions
        self.check = check
        self._seed_and_epoch = torch.full((2,), -1, dtype=torch.int64).share_memory_()  # read by persistent workers
        super().__init__(
            ann_file=str(Path(data_root, self.ANN_FILE if ann_file is None else ann_file)),
            metainfo=metainfo,
            data_prefix=dict(img_path=str(Path(data_root, self.IMAGE_DIR if image_dir is None else image_dir))),
            pipeline=list(pipeline),
            test_mode=test_mode,
            indices=indices,
        )

    def seed_epoch(self, seed: int, epoch: int) -> None:
        """Fix the random choices of an epoch, in this process and in its data loader's workers."""
        self._seed_and_epoch.copy_(torch.tensor([seed, epoch]))

    def prepare_data(self, idx: int) -> Any:
        """Run the pipeline on one item."""
        seed, epoch = self._seed_and_epoch.tolist()
        if seed >= 0:
            state = np.random.SeedSequence((seed, epoch, idx)).generate_state(2)
            np.random.seed(state[0])
            random.seed(int(state[1]))
        return super().prepare_data(idx)

    def load_data_list(self) -> list[dict]:
        """Read the annotation file and check every image of the split."""
        folder = Path(self.data_prefix['img_path'])
        if not Path(self.ann_file).is_file() or not folder.is_dir():
            wanted = self.ann_file if not Path(self.ann_file).is_file() else folder
            raise DataError(
                f'{type(self).__name__}: {wanted} does not exist; get the data set from {self.HOME} and unpack it '
                f'so that {self.ann_file} and {folder} exist, or point data_root at it'
            )
        records = read_karpathy_json(Path(self.ann_file), blank_captions=self.blank_captions)
        chosen = self._select(records)
        items: list[dict[str, Any]] = [
            dict(
                image_id=r.image_id,
                img_path=str(folder / r.filename),
                captions=list(r.captions),
                caption_ids=list(r.caption_ids),
            )
            for r in chosen
        ]
        check_images([item['img_path'] for item in items], self.check)
        return items

    def _select(self, records: Sequence[ImageRecord]) -> list[ImageRecord]:
        """The records of ``self.split``."""
        counts = Counter(r.split for r in records)
        wanted = {'train', 'val'} if self.split == 'trainval' else {self.split}
        if self.split == 'val' and 'val' not in counts:
            return self._cut_train(records)[1]
        if self.split == 'train' and 'val' not in counts and 'train' in counts:
            return self._cut_train(records)[0]
        chosen = [r for r in records if r.split in wanted]
        if not chosen:
            have = ', '.join(f'{name} ({n} images)' for name, n in sorted(counts.items()))
            raise DataError(f'annotation file {self.ann_file} has no image in split {self.split!r}; it has {have}')
        return chosen

    def _cut_train(self, records: Sequence[ImageRecord]) -> tuple[list[ImageRecord], list[ImageRecord]]:
        """Cut ``train`` in two by a hash of the file name: (train, val), the same on every machine."""
        train = [r for r in records if r.split == 'train']
        by_hash = sorted(train, key=lambda r: hashlib.blake2b(r.filename.encode(), digest_size=8).digest())
        held_out = {r.image_id for r in by_hash[: round(self.val_fraction * len(train))]}
        if not held_out or len(held_out) == len(train):
            raise DataError(
                f'annotation file {self.ann_file} has no val split and its {len(train)} train images cannot be cut '
                f'by val_fraction={self.val_fraction}; name a split that the file has'
            )
        return ([r for r in train if r.image_id not in held_out], [r for r in train if r.image_id in held_out])
