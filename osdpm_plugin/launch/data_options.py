"""``data_root=``, ``ann_file=`` and ``image_dir=`` of a command line -> the keys of the data set of every loader."""

from __future__ import annotations

from typing import Any

from mmengine.config import Config

from ..errors import ConfigError
from ..features.use_cache import LOADERS

DATA_KEYS = ('data_root', 'ann_file', 'image_dir')


def spread_data_options(cfg: Config, options: dict[str, Any]) -> dict[str, Any]:
    """The options, with ``data_root=X`` in place of ``train_dataloader.dataset.data_root=X``, and val's and test's.

    Args:
        cfg: the config; its variables of these names follow.
        options: ``--cfg-options``; a loader that is named itself keeps its own value.

    Raises:
        ConfigError: a loader reads several data sets.
    """
    spread: dict[str, Any] = {}
    used = set()
    for key in (key for key in DATA_KEYS if key in options):
        for name in LOADERS:
            path, node = f'{name}.dataset', (cfg.get(name) or {}).get('dataset')
            while node is not None and 'dataset' in node:
                path, node = f'{path}.dataset', node['dataset']
            if node is not None and 'datasets' in node:
                raise ConfigError(
                    f'--cfg-options {key}: {path} has several data sets; name the key of each, {path}.datasets.0.{key}'
                )
            if node is not None:
                spread[f'{path}.{key}'] = options[key]
                used.add(key)
        if key in cfg:
            cfg[key] = options[key]
            used.add(key)
    return {**spread, **{key: value for key, value in options.items() if key not in used}}
