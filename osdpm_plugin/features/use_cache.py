"""A config and the folder of its cached features -> the same config, which reads features in place of images."""

from __future__ import annotations

from mmengine.config import Config

from ..datasets.config_views import inner_sets
from ..errors import ConfigError

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


def use_feature_cache(cfg: Config, cache: str) -> Config:
    """A copy of a config whose loaders read cached features; checkpoints fit the original config.

    Args:
        cfg: with the pipelines that were cached; one that reads a cache already is given this one.
        cache: folder that tools/cache_features.py wrote.

    Raises:
        ConfigError: a loader reads a wrapper of data sets.
    """
    cached = without_feature_cache(cfg)
    check_cacheable(cached)
    cached.feature_cache = cache
    for name in LOADERS:
        if cached.get(name) is not None:
            loader = cached[name]
            loader['dataset'] = dict(type='CachedFeatureDataset', cache=cache, dataset=loader['dataset'])
    cached.custom_hooks = [*cached.get('custom_hooks', []), dict(type='FeatureCacheHook')]
    return cached


def without_feature_cache(cfg: Config) -> Config:
    """A copy of a config whose loaders read images, not cached features; checkpoints fit both.

    Args:
        cfg: as it was given, or as mmengine wrote it into a work dir.
    """
    plain = Config(cfg._cfg_dict.to_dict(), filename=cfg.filename)
    plain.pop('feature_cache', None)
    for name in LOADERS:
        loader = plain.get(name)
        if loader is not None and loader.dataset.get('type') == 'CachedFeatureDataset':
            loader['dataset'] = loader.dataset.dataset
    hooks = plain.get('custom_hooks') or []
    plain.custom_hooks = [hook for hook in hooks if hook.get('type') != 'FeatureCacheHook']
    return plain


def check_cacheable(cfg: Config) -> None:
    """Refuse a config with a wrapper around a data set, such as ConcatDataset, whose parts the cache would not know, or
    a data set without a named split.

    Raises:
        ConfigError: a loader has one.
    """
    for name in LOADERS:
        loader = cfg.get(name)
        if loader is not None and inner_sets(loader.dataset):
            raise ConfigError(
                f'{name}.dataset, a {loader.dataset.get("type")}, has no split and pipeline of its own, so that its '
                'features cannot be cached; name one data set of captions'
            )
        if loader is not None and not isinstance(loader.dataset.get('split'), str):
            raise ConfigError(f'{name}.dataset.split is not named, so that its features have no folder; name a split')
