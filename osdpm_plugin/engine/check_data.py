"""Look for a config's data before towers are built or fetched."""

from __future__ import annotations

import inspect

from mmengine.config import Config

from ..datasets import CaptionRetrievalDataset
from ..registry import DATASETS


def check_data(cfg: Config, *loaders: str) -> None:
    """Read the annotation files of some data loaders; images are decoded later, when the loaders are built.

    Data sets of other packages are left alone.

    Args:
        cfg: the config.
        loaders: keys such as ``train_dataloader``; those that the config lacks are passed over.

    Raises:
        DataError: a data set is missing or its annotation file unusable.
    """
    for name in loaders:
        dataset = (cfg.get(name) or {}).get('dataset', {})
        kind = DATASETS.module_dict.get(dataset.get('type')) if isinstance(dataset, dict) else None
        if inspect.isclass(kind) and issubclass(kind, CaptionRetrievalDataset):
            DATASETS.build(dict(dataset, pipeline=[], check='none'))
