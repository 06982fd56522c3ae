"""A wrapper of data sets -> the same items, where each repetition has its own random choices."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch.utils.data import Dataset

from ...errors import ConfigError
from ...registry import DATASETS
from .wrappers import found_in, parts_of


@DATASETS.register_module()
class SeedByPosition(Dataset):
    """Put this around a wrapper that shows an image several times an epoch, such as mmengine's RepeatDataset.

    The random choices of an item depend on (seed, epoch, item), so a wrapper that asks for the same item again would
    get the same crop, turn and captions each time. With this class they depend on (seed, epoch, item, position in this
    data set), which is again the same for any number of workers and in a resumed run. Evaluation, which chooses
    nothing, does not need it.

    Args:
        dataset: config of the wrapper.

    Raises:
        ConfigError: the wrapper holds no data set of this package.
    """

    def __init__(self, *, dataset: Any) -> None:
        self.dataset = DATASETS.build(dataset)
        self._seeded = [part for part in seedable(self.dataset) if hasattr(part, 'seed_position')]
        if not self._seeded:
            raise ConfigError(
                f'SeedByPosition: {type(self.dataset).__name__} holds no data set that can be seeded; leave '
                'SeedByPosition out'
            )

    @property
    def metainfo(self) -> dict:
        """Meta information of the wrapper."""
        return self.dataset.metainfo

    def seed_epoch(self, seed: int, epoch: int) -> None:
        """See `CaptionRetrievalDataset.seed_epoch`."""
        for part in seedable(self.dataset):
            part.seed_epoch(seed, epoch)

    def get_data_info(self, index: int) -> dict:
        """See mmengine's BaseDataset."""
        return self.dataset.get_data_info(index)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Any:
        for part in self._seeded:
            part.seed_position(index)
        return self.dataset[index]


def seedable(dataset: Any) -> Iterator[Any]:
    """The data sets with a `seed_epoch`, inside wrappers too."""
    return found_in(dataset, lambda part: hasattr(part, 'seed_epoch'))


def repeats_alike(dataset: Any) -> bool:
    """Whether a wrapper shows items of a seeded data set several times an epoch, with the same random choices."""
    if hasattr(dataset, 'seed_epoch'):
        return False
    parts = parts_of(dataset)
    seeded = next(seedable(dataset), None) is not None
    return (seeded and len(dataset) > sum(map(len, parts))) or any(map(repeats_alike, parts))
