"""A config and the folder of its cached features -> the same config, which reads features in place of images."""

from __future__ import annotations

from typing import Any

from mmengine.config import Config

from ..datasets.config_views import inner_sets
from ..errors import ConfigError

MIXED = 'MixedDataset'
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
            for folder, holder, key in split_folders(loader):
                part = holder[key]
                own = {} if folder == part.get('split') else dict(folder=folder)
                holder[key] = dict(type='CachedFeatureDataset', cache=cache, dataset=part, **own)
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
        for _, holder, key in split_folders(loader) if loader is not None else ():
            if holder[key].get('type') == 'CachedFeatureDataset':
                holder[key] = holder[key]['dataset']
    hooks = plain.get('custom_hooks') or []
    plain.custom_hooks = [hook for hook in hooks if hook.get('type') != 'FeatureCacheHook']
    return plain


def split_folders(loader: Any) -> list[tuple[str, Any, Any]]:
    """The data sets of a loader that a cache has folders for: the folder's name, and where the config stands.

    The folder is called like the split; that of the i-th part of a `MixedDataset`, but of its first, like its split
    (``all`` without one) and the number i.

    Returns:
        name, holder and key of each: its config is ``holder[key]``.
    """
    mixed = loader['dataset']
    if mixed.get('type') != MIXED:
        places: list[tuple[Any, Any]] = [(loader, 'dataset')]
    elif mixed.get('dataset') is not None:
        places = [(mixed, 'dataset')]
    else:
        places = [(mixed['datasets'], i) for i in range(len(mixed['datasets']))]
    found = []
    for number, (holder, key) in enumerate(places):
        inner = holder[key].get('dataset') or holder[key]  # of a set that reads a cache
        split = inner.get('split') or 'all'
        found.append((split if number == 0 else f'{split}_{number}', holder, key))
    return found


def check_cacheable(cfg: Config) -> None:
    """Refuse a config with a wrapper around a data set, such as ConcatDataset, whose parts the cache would not know, or
    a data set without a named split. `MixedDataset` is known.

    Raises:
        ConfigError: a loader has one.
    """
    for name in LOADERS:
        loader = cfg.get(name)
        if loader is not None and loader.dataset.get('type') == MIXED:
            wrapped = [holder[key] for _, holder, key in split_folders(loader) if inner_sets(holder[key])]
            if wrapped:
                raise ConfigError(
                    f'{name}.dataset mixes a {wrapped[0].get("type")}, whose features cannot be cached; name its parts'
                )
            continue
        if loader is not None and inner_sets(loader.dataset):
            raise ConfigError(
                f'{name}.dataset, a {loader.dataset.get("type")}, has no split and pipeline of its own, so that its '
                'features cannot be cached; name one data set of captions'
            )
        if loader is not None and not isinstance(loader.dataset.get('split'), str):
            raise ConfigError(f'{name}.dataset.split is not named, so that its features have no folder; name a split')
