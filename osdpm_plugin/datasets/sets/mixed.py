"""Captioned and labelled data sets, or one whose captions are partly hidden -> one data set that holds both kinds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Optional

import numpy as np
import torch
from mmengine.logging import print_log
from torch.utils.data import Dataset

from ...errors import ConfigError, DataError
from ...registry import DATASETS
from ...utils.checks import check_int, check_number, check_one_of
from .wrappers import infos_of

LABELLED, LEFT_OUT = 'labelled', 'left_out'


@DATASETS.register_module()
class MixedDataset(Dataset):
    """Images with captions and images with labels alone in one epoch, so that random batches hold both kinds.

    ::

        positions of an epoch   0 ........ N - 1 | N ............ N + L - 1      L = ratio * N
        images                  with captions    | with labels alone

    N is the number of images of the sets that have captions, before any were hidden, so a ``caption_fraction`` changes
    nothing in the number of steps: the images that keep their captions are shown more often. Each kind is gone through
    in a fixed shuffled order, where an epoch goes on after the last one, so that all images of a kind are shown equally
    often. What is random of an item depends on its position too (see `SeedByPosition`), so that an image that is shown
    several times an epoch is cut and turned anew. All of it is the same for any number of workers and processes, and in
    a resumed run. Use it with ``DefaultSampler(shuffle=True)``.

    The ids of images and captions are counted on from data set to data set, so that none occurs twice.

    Args:
        dataset: config of one data set with captions; or
        datasets: configs of several, with captions or without (`LabelledImageDataset`).
        caption_fraction: share of the images of each captioned set that keep their captions, see
            `CaptionRetrievalDataset.hide_captions`; the images of a smaller share are among those of a larger one.
        caption_seed: seed of that choice.
        others: the images whose captions are hidden are ``labelled`` images, for which the captioned set needs
            ``labels=``, or are ``left_out``.
        ratio: images with labels alone in an epoch for each one with captions; None: as they come, each shown as often
            as the set holds it. 0 takes captioned images alone.

    Raises:
        ConfigError: an argument is out of range, or no data set or ways of naming it are given.
        DataError: no image has captions, or a ``ratio`` is asked for and no image has labels alone, or one has neither.
    """

    def __init__(
        self,
        *,
        dataset: Any = None,
        datasets: Sequence[Any] = (),
        caption_fraction: float = 1.0,
        caption_seed: int = 0,
        others: str = LABELLED,
        ratio: Optional[float] = None,
    ) -> None:
        check_number('MixedDataset', 'caption_fraction', caption_fraction, above=0, most=1)
        check_int('MixedDataset', 'caption_seed', caption_seed, least=0, most=2**63 - 1)
        check_one_of('MixedDataset', 'others', others, (LABELLED, LEFT_OUT))
        if ratio is not None:
            check_number('MixedDataset', 'ratio', ratio, least=0)
        if (dataset is None) == (not datasets):
            raise ConfigError('MixedDataset: give either dataset, one config, or datasets, a list of them')
        self.datasets = [DATASETS.build(part) for part in (datasets or [dataset])]
        self._seed_and_epoch = torch.full((2,), -1, dtype=torch.int64).share_memory_()  # read by persistent workers
        self._shifts: list[tuple[int, int]] = []  # of image ids, of caption ids
        captioned: list[tuple[int, int]] = []  # number of the data set, index in it
        labelled: list[tuple[int, int]] = []
        self._num_captioned = 0
        image_shift = caption_shift = 0
        for number, part in enumerate(self.datasets):
            if not hasattr(part, 'hide_captions'):
                raise ConfigError(f'MixedDataset: {type(part).__name__} is no data set of this package; name its parts')
            infos = list(infos_of(part))
            self._shifts.append((image_shift, caption_shift))
            image_shift += max((info['image_id'] for info in infos), default=-1) + 1
            caption_shift += max((i for info in infos for i in info['caption_ids']), default=-1) + 1
            own = [index for index, info in enumerate(infos) if info['captions']]
            self._num_captioned += len(own)
            if own and caption_fraction < 1:
                part.hide_captions(caption_fraction, caption_seed)
                infos = list(infos_of(part))
            captioned += [(number, index) for index, info in enumerate(infos) if info['captions']]
            if not own or others == LABELLED:
                labelled += _labelled(part, number, infos)
        if not captioned:
            raise DataError('MixedDataset: no image has captions; name a captioned set')
        if ratio and not labelled:
            raise DataError(
                'MixedDataset: no image has labels alone; name a LabelledImageDataset, or set caption_fraction below 1 '
                "and others='labelled'"
            )
        self._num_labelled = len(labelled) if ratio is None else round(ratio * self._num_captioned)
        self._captioned, self._labelled = _shuffled(captioned), _shuffled(labelled)
        print_log(
            f'An epoch shows {len(captioned)} images with captions as {self._num_captioned}, and '
            f'{len(labelled) if self._num_labelled else 0} with labels alone as {self._num_labelled}',
            logger='current',
        )

    @property
    def metainfo(self) -> dict:
        """Of the first data set."""
        return self.datasets[0].metainfo

    def seed_epoch(self, seed: int, epoch: int) -> None:
        """See `CaptionRetrievalDataset.seed_epoch`."""
        self._seed_and_epoch.copy_(torch.tensor([seed, epoch]))
        for part in self.datasets:
            part.seed_epoch(seed, epoch)

    def different_items(self) -> Iterator[dict]:
        """What `get_data_info` gives, of each image once."""
        places = self._captioned if not self._num_labelled else np.concatenate([self._captioned, self._labelled])
        return (self._info(number, index) for number, index in sorted(map(tuple, places.tolist())))

    def get_data_info(self, index: int) -> dict:
        """See mmengine's BaseDataset; of a position in the present epoch."""
        return self._info(*self._place(index))

    def __len__(self) -> int:
        return self._num_captioned + self._num_labelled

    def __getitem__(self, index: int) -> Any:
        number, place = self._place(index)
        part = self.datasets[number]
        part.seed_position(index)
        item = part[place]
        if 'data_samples' in item:
            images, captions = self._shifts[number]
            item['data_samples'].image_id += images
            item['data_samples'].caption_ids = item['data_samples'].caption_ids + captions
        return item

    def _info(self, number: int, index: int) -> dict:
        item = self.datasets[number].get_data_info(index)
        images, captions = self._shifts[number]
        ids = dict(image_id=item['image_id'] + images, caption_ids=[i + captions for i in item['caption_ids']])
        return {**item, **ids}

    def _place(self, position: int) -> tuple[int, int]:
        """Number of the data set and index in it."""
        if not 0 <= position < len(self):
            raise IndexError(f'position {position} of {len(self)}')
        places, count = self._captioned, self._num_captioned
        if position >= self._num_captioned:
            places, count, position = self._labelled, self._num_labelled, position - self._num_captioned
        epoch = max(0, int(self._seed_and_epoch[1]))
        number, index = places[(epoch * count + position) % len(places)].tolist()
        return number, index


def _labelled(part: Any, number: int, infos: Sequence[dict]) -> list[tuple[int, int]]:
    """The places of images that have labels and no captions; those that have neither are left out, and counted."""
    bare = [index for index, info in enumerate(infos) if not info['captions']]
    found = [(number, index) for index in bare if infos[index].get('labels')]
    if bare and not found:
        raise DataError(
            f'MixedDataset: none of the {len(bare)} images without captions of {type(part).__name__} has labels; set '
            "its labels= to the rule of its file names, or others='left_out'"
        )
    if len(found) < len(bare):
        print_log(f'{len(bare) - len(found)} of {len(bare)} images have neither captions nor labels', logger='current')
    return found


def _shuffled(places: Sequence[tuple[int, int]]) -> np.ndarray:
    """(n, 2) int64, in an order that is the same everywhere."""
    array = np.array(places, dtype=np.int64).reshape(-1, 2)
    return array[np.random.default_rng(0).permutation(len(array))]
