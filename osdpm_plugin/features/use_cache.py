"""A config, and the folder of its cached features -> the same config without its towers at work."""

from __future__ import annotations

from mmengine.config import Config

from ..errors import ConfigError

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


def use_feature_cache(cfg: Config, cache: str) -> Config:
    """A copy of a config whose loaders read cached features; checkpoints fit the original config.

    Args:
        cfg: with the pipelines that were cached.
        cache: folder that tools/cache_features.py wrote.

    Raises:
        ConfigError: a loader reads a wrapper of data sets.
    """
    check_cacheable(cfg)
    cached = Config(cfg._cfg_dict.to_dict(), filename=cfg.filename)
    for name in LOADERS:
        if cached.get(name) is not None:
            loader = cached[name]
            loader['dataset'] = dict(type='CachedFeatureDataset', cache=cache, dataset=loader['dataset'])
    cached.custom_hooks = [*cached.get('custom_hooks', []), dict(type='FeatureCacheHook')]
    return cached


def check_cacheable(cfg: Config) -> None:
    """Refuse a config whose loaders do not read a data set with a split and a pipeline of its own.

    Raises:
        ConfigError: one does not.
    """
    for name in LOADERS:
        loader = cfg.get(name)
        missing = [] if loader is None else [key for key in ('split', 'pipeline') if key not in loader.dataset]
        if missing:
            raise ConfigError(
                f'{name}.dataset, a {loader.dataset.get("type")}, has no {missing[0]}, so that its features cannot be '
                'cached; name one data set of captions with its split and pipeline'
            )
