"""`CaptionRetrievalDataset`, the base of all data sets: files -> one item an image, with all its captions."""

from __future__ import annotations

import logging
import random
from collections import Counter
from pathlib import Path
from typing import Any, Optional, Sequence, Union

import numpy as np
import torch
from mmengine.dataset import BaseDataset
from mmengine.logging import print_log

from ...errors import ConfigError, DataError
from ...registry import DATASETS
from ...utils.checks import check_int, check_number, check_one_of
from ..annotations.exclude_list import leave_out
from ..annotations.karpathy import read_karpathy_json
from ..annotations.labels_in_names import label_rule
from ..annotations.records import BlankCaptions, ImageRecord, Labels, usual_split_names
from ..annotations.split_conventions import CONVENTIONS, SplitConvention, apply_convention, lacks_val, lowest_hashes
from ..annotations.split_lists import SplitFiles, apply_manifest
from ..images.region_files import check_one_image_each
from ..lexicon import Lexicon
from ..text.cut_captions import warn_of_cut
from ..transforms import LoadRegions, TokenizeCaptions
from ..transforms.mmcv_loader import loader_of
from .facts import Facts
from .image_check import ImageCheck, check_images
from .labels import by_category


@DATASETS.register_module()
class CaptionRetrievalDataset(BaseDataset):
    """Images with captions in the Karpathy JSON layout.

    An item, before the pipeline: ``dict(image_id: int, img_path: str, captions: list[str], caption_ids: list[int])``.
    Training and evaluation have the same items, one an image; a transform samples captions for training.

    After `seed_epoch`, the random choices of the pipeline are a function of (seed, epoch, item): the same for any
    number of workers, and in a run that was interrupted and resumed. For a wrapper that repeats items see
    `SeedByPosition`.

    A subclass states the facts of one published set, and reads its layout if that differs.

    Args:
        data_root: folder of the set.
        split: a split named in the annotation file; ``trainval`` joins train and val; None takes every image. The
            names ``validation``, ``valid`` and ``dev``, and upper case, are understood too; see `usual_split_names`.
        pipeline: configs of transforms.
        ann_file: annotation file relative to ``data_root``; None: the official name of the set.
        image_dir: folder of images relative to ``data_root``; None: the official name of the set.
        test_mode: an item that cannot be loaded is an error at once, as in mmengine.
        split_convention: how train and val are cut: ``official``, ``own``, ``selection``, ``pir_sizes``, ``galr`` or
            ``hvsa``; see `split_conventions`.
        split_seed: seed of a cut.
        split_manifest: a file of ``tools/make_split.py``, or the name of a shipped one, that lists the files of each
            split; or the lists of others, as ``dict(train='train_filename_verify.txt', val='rsitmd_val.json')``; see
            `apply_manifest`.
        val_fraction: share of ``train`` that becomes ``val`` if the file names only train and test (RSITMD) and
            train or val is asked for, or ``selection`` by that convention. The cut depends on file names and
            ``split_seed`` alone, and is logged.
        exclude_list: JSON file with names of images to leave out of the split.
        blank_captions: ``raise`` an error for a caption without words, or ``drop`` it; None: the rule of the set.
        labels: where the object labels of images stand, which then are ``labels`` of an item (category -> count):
            ``own``, the rule of a published set, or another of `label_rule`; None: items have no labels. They tell of
            an image whose captions `MixedDataset` hides.
        lexicon: name or path of the lexicon that labels are mapped to; None: the English one.
        check: how images are checked at start-up: ``decode`` every one, ``exists``, or ``none``.
        indices: the first n items or a list of positions, for quick trials, as in mmengine.
        metainfo: extra meta information.

    Raises:
        DataError: files are missing or unusable; the sentence names the file and the remedy.
        ConfigError: an argument is out of range.
    """

    FACTS = Facts(name='the data set')
    BLANK_CAPTIONS: BlankCaptions = 'raise'
    METAINFO: dict[str, Any] = {}

    def __init__(
        self,
        *,
        data_root: str,
        split: Optional[str],
        pipeline: Sequence[Any] = (),
        ann_file: Optional[str] = None,
        image_dir: Optional[str] = None,
        test_mode: bool = False,
        split_convention: SplitConvention = 'official',
        split_seed: int = 0,
        split_manifest: Optional[SplitFiles] = None,
        val_fraction: float = 0.1,
        exclude_list: Optional[str] = None,
        blank_captions: Optional[BlankCaptions] = None,
        labels: Optional[str] = None,
        lexicon: Optional[str] = None,
        check: ImageCheck = 'decode',
        indices: Union[int, Sequence[int], None] = None,
        metainfo: Optional[dict] = None,
    ) -> None:
        owner = type(self).__name__
        check_number(owner, 'val_fraction', val_fraction, above=0, below=1)
        check_int(owner, 'split_seed', split_seed, least=0, most=2**63 - 1)
        check_one_of(owner, 'blank_captions', blank_captions, ('raise', 'drop', None))
        check_one_of(owner, 'check', check, ('decode', 'exists', 'none'))
        check_one_of(owner, 'split_convention', split_convention, CONVENTIONS)
        if split_manifest is not None and split_convention != 'official':
            raise ConfigError(
                f'{owner}: split_manifest and split_convention={split_convention!r} both set the splits; set only one'
            )
        self.split = split
        self.split_convention = split_convention
        self.split_seed = split_seed
        self.split_manifest = split_manifest
        self.val_fraction = val_fraction
        self.exclude_list = exclude_list
        self.blank_captions: BlankCaptions = self.BLANK_CAPTIONS if blank_captions is None else blank_captions
        self.labels = labels
        self.lexicon = lexicon
        self.check = check
        self._hidden: frozenset[int] = frozenset()
        self._position: Optional[int] = None
        self._seed_and_epoch = torch.full((2,), -1, dtype=torch.int64).share_memory_()  # read by persistent workers
        super().__init__(
            ann_file=str(Path(data_root, self.FACTS.ann_file if ann_file is None else ann_file)),
            metainfo=metainfo,
            data_prefix=dict(img_path=str(Path(data_root, self.FACTS.image_dir if image_dir is None else image_dir))),
            pipeline=list(pipeline),
            test_mode=test_mode,
            indices=indices,
        )

    def seed_epoch(self, seed: int, epoch: int) -> None:
        """Fix the random choices of an epoch, in this process and in its data loader's workers."""
        self._seed_and_epoch.copy_(torch.tensor([seed, epoch]))

    def seed_position(self, position: int) -> None:
        """Let random choices depend on the position in a wrapper too, from now on, in this process."""
        self._position = position

    def prepare_data(self, idx: int) -> Any:
        """Run the pipeline on one item."""
        seed, epoch = self._seed_and_epoch.tolist()
        if seed >= 0:
            place = (idx,) if self._position is None else (idx, self._position)
            state = np.random.SeedSequence((seed, epoch, *place)).generate_state(2)
            np.random.seed(state[0])
            random.seed(int(state[1]))
        return super().prepare_data(idx)

    def hide_captions(self, fraction: float, seed: int = 0) -> None:
        """Hide the captions of all images but a share of them, from now on: their items then have none.

        The images that keep theirs have the lowest hashes of file name and seed, so those of a smaller share are among
        those of a larger one.

        Args:
            fraction: share of the images that keep their captions; at least one image does.
            seed: salt of the hash.
        """
        names = [self.get_data_info(index)['img_path'] for index in range(len(self))]
        names = [Path(name).relative_to(self.images).as_posix() for name in names]
        kept = lowest_hashes(names, max(1, round(fraction * len(names))), seed)
        self._hidden = frozenset(index for index, name in enumerate(names) if name not in kept)

    def get_data_info(self, idx: int) -> dict:
        """See mmengine's BaseDataset; without captions where they are hidden."""
        info = super().get_data_info(idx)
        return {**info, 'captions': [], 'caption_ids': []} if idx in self._hidden else info

    @property
    def images(self) -> Path:
        """The folder of images."""
        return Path(self.data_prefix['img_path'])

    def get_cat_ids(self, idx: int) -> list[int]:
        """The object categories that the captions of an image name, by their places in the shipped lexicon.

        For mmengine's `ClassBalancedDataset`, which repeats images of objects that few images show.
        """
        return np.flatnonzero(Lexicon.default().count(self.get_data_info(idx)['captions'])).tolist()

    def read_records(self) -> list[ImageRecord]:
        """All images of the annotation file; a subclass with another layout overrides this.

        Raises:
            DataError: the file is unusable.
        """
        return read_karpathy_json(Path(self.ann_file), blank_captions=self.blank_captions, images=self.images)

    def own_label(self, filename: str) -> Optional[str]:
        """The label in a file name of a published set; None: it has none.

        Raises:
            ConfigError: the names of this set follow no rule that is known here.
        """
        raise ConfigError(
            f"{type(self).__name__}: labels='own' is not known for {self.FACTS.name}; write labels='name', 'folder' or "
            "a regular expression with a group 'label'"
        )

    def read_labels(self, records: Sequence[ImageRecord]) -> Labels:
        """The labels of all images of the annotation file, by the rule ``labels``."""
        rule = self.own_label if self.labels == 'own' else label_rule(str(self.labels))
        found = ((record.image_id, rule(record.filename)) for record in records)
        return {image_id: {label: 1.0} for image_id, label in found if label is not None}

    def load_data_list(self) -> list[dict]:
        """Read the annotation file, choose the split and check its images.

        Raises:
            DataError: files are missing or unusable.
        """
        folder = self.images
        missing = [str(path) for path in (Path(self.ann_file), folder) if not path.exists()]
        if missing:
            raise DataError(
                f'{type(self).__name__}: {missing[0]} does not exist; {self.FACTS.remedy()} and unpack it so that '
                f'{self.ann_file} and {folder} exist, or point data_root at it'
            )
        records = self.read_records()
        if any(isinstance(transform, LoadRegions) for transform in self.pipeline.transforms):
            check_one_image_each(record.filename for record in records)
        chosen = self._choose(records)
        if self.exclude_list is not None:
            chosen = leave_out(chosen, Path(self.exclude_list), known=records, source=self.ann_file)
            if not chosen:
                raise DataError(f'exclude list {self.exclude_list} leaves no image in split {self.split!r}; shorten it')
        labels = None
        if self.labels is not None:
            labels = by_category(self.read_labels(records), self.lexicon, source=self.ann_file)
        items: list[dict[str, Any]] = [
            dict(
                image_id=r.image_id,
                img_path=str(folder / r.filename),
                captions=list(r.captions),
                caption_ids=list(r.caption_ids),
                **({} if labels is None else dict(labels=labels.get(r.image_id, {}))),
            )
            for r in chosen
        ]
        for transform in self.pipeline.transforms:
            if isinstance(transform, TokenizeCaptions):
                captions = [caption for item in items for caption in item['captions']]
                warn_of_cut(transform.tokenizer, captions, f'{self.ann_file}: captions of split {self.split!r}')
        check_images([item['img_path'] for item in items], self.check, load=loader_of(self.pipeline.transforms))
        return items

    def _choose(self, records: Sequence[ImageRecord]) -> list[ImageRecord]:
        """The records of ``self.split``."""
        if self.split_manifest is not None:
            records = apply_manifest(records, self.split_manifest, source=self.ann_file)
        split = self.split
        if split is not None and all(r.split != split for r in records):
            split = usual_split_names([split])[split]
        if self.split_manifest is None:
            if self.split_convention != 'official' or (split in ('train', 'val') and lacks_val(records)):
                records = apply_convention(
                    records,
                    convention=self.split_convention,
                    seed=self.split_seed,
                    val_fraction=self.val_fraction,
                    source=self.ann_file,
                )
            else:
                self._compare_with_published(records, split)
        if split is None:
            return list(records)
        wanted = {'train', 'val'} if split == 'trainval' else {split}
        chosen = [r for r in records if r.split in wanted]
        if not chosen:
            counts = Counter(r.split for r in records)
            have = ', '.join(f'{name!r} ({n} images)' for name, n in sorted(counts.items()) if name)
            remedy = (
                f'it has {have}'
                if have
                else 'it names no splits: set split=None, or split_manifest to a file of tools/make_split.py'
            )
            raise DataError(f'annotation file {self.ann_file} has no image in split {self.split!r}; {remedy}')
        return chosen

    def _compare_with_published(self, records: Sequence[ImageRecord], asked: Optional[str]) -> None:
        """Warn if the file is not the published set, since its results cannot be compared with published ones."""
        counts = Counter(r.split for r in records)
        for split, published in self.FACTS.splits.items():
            if split == asked and 0 < counts[split] != published:
                print_log(
                    f'{self.ann_file}: split {split!r} has {counts[split]} images, {self.FACTS.name} has {published}; '
                    'results do not compare with published ones',
                    logger='current',
                    level=logging.WARNING,
                )
