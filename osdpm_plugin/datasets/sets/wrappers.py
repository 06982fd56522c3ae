"""A wrapper such as mmengine's ConcatDataset or RepeatDataset -> the data sets inside it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Callable


def parts_of(dataset: Any) -> list[Any]:
    """The data sets that a wrapper holds; an empty list for a data set that is no wrapper."""
    parts = getattr(dataset, 'datasets', None) or [getattr(dataset, 'dataset', None)]
    return [part for part in parts if part is not None]


def found_in(dataset: Any, wanted: Callable[[Any], bool]) -> Iterator[Any]:
    """The outermost data sets that are wanted: this one, or those inside it."""
    if wanted(dataset):
        yield dataset
        return
    for part in parts_of(dataset):
        yield from found_in(part, wanted)


def infos_of(dataset: Any) -> Iterator[dict]:
    """What `get_data_info` gives of each item of an epoch; of a `MixedDataset`, of each image once."""
    if hasattr(dataset, 'different_items'):
        return dataset.different_items()
    return (dataset.get_data_info(index) for index in range(len(dataset)))
