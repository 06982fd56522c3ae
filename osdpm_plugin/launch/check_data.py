"""A config -> its data sets, checked before towers are built or downloaded."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator, Mapping
from typing import Any, Optional

from mmengine.config import Config

from ..datasets import CaptionRetrievalDataset
from ..datasets.config_views import inner_sets, leaves
from ..errors import ConfigError, DataError
from ..features.use_cache import MIXED
from ..registry import DATASETS
from .launchers import LAUNCHERS

WRAPPERS = ('CachedFeatureDataset', 'ConcatDataset', 'RepeatDataset', 'SeedByPosition')  # whose length is known


def check_data(cfg: Config, *loaders: str) -> None:
    """Read the annotation files of some data loaders; images are decoded later, when the loaders are built.

    Data sets of other packages are left alone.

    Args:
        loaders: keys such as ``train_dataloader``; missing ones are skipped.

    Raises:
        DataError: a data set is missing or its annotation file unusable, or two images of a loader share an id.
        ConfigError: ``drop_last=True`` leaves no batch.
    """
    for name in loaders:
        loader = cfg.get(name) or {}
        parts = list(_parts(loader.get('dataset')))
        known = [part for part in parts if part is not None]
        _check_ids(name, known)
        if len(known) == len(parts):
            _check_batches(name, loader, sum(map(len, known)), cfg.get('launcher', 'none'))


def _parts(dataset: Any) -> Iterator[Optional[CaptionRetrievalDataset]]:
    """The sets that a loader reads, inside wrappers too; None for each of another package."""
    kind = dataset.get('type') if isinstance(dataset, Mapping) else None
    found = DATASETS.module_dict.get(kind)
    if kind == MIXED:
        yield _mixed(dataset)
    elif kind in WRAPPERS:
        yield from [part for inner in inner_sets(dataset) for part in _parts(inner)] * dataset.get('times', 1)
    elif inspect.isclass(found) and issubclass(found, CaptionRetrievalDataset):
        yield DATASETS.build(dict(dataset, pipeline=[], check='none'))
    else:
        yield None


def _mixed(dataset: Mapping[str, Any]) -> Any:
    """A `MixedDataset`, whose ids never collide, of sets that read no images."""

    def bare(part: Mapping[str, Any]) -> dict:
        return dict(next(leaves(part)), pipeline=[], check='none')

    parts = [bare(part) for part in inner_sets(dataset)]
    keys = {key: value for key, value in dataset.items() if key != 'dataset'}
    return DATASETS.build(dict(keys, datasets=parts))


def _check_ids(name: str, parts: list[CaptionRetrievalDataset]) -> None:
    """Check that no two images share an id, because ids decide which pairs are positive."""
    paths: dict[int, str] = {}
    for part in parts if len(parts) > 1 else ():
        for info in map(part.get_data_info, range(len(part))):
            path = paths.setdefault(info['image_id'], info['img_path'])
            if path != info['img_path']:
                raise DataError(
                    f'{name}: image id {info["image_id"]} belongs to {path} and to {info["img_path"]}, and their '
                    'captions would be right for both; describe both sets in one annotation file for CaptionDataset'
                )


def _check_batches(name: str, loader: Mapping[str, Any], images: int, launcher: str) -> None:
    """Check that a loader with ``drop_last`` has at least one whole batch."""
    processes = int(os.environ.get(LAUNCHERS[launcher].size, 1)) if launcher in LAUNCHERS else 1
    share = -(-images // processes)
    batch_size = loader.get('batch_size', 1)
    if loader.get('drop_last', False) and share < batch_size:
        raise ConfigError(
            f'{name}: batch_size={batch_size} with drop_last=True leaves no batch of the {share} images of a process; '
            f'set batch_size to {share} or less'
        )
