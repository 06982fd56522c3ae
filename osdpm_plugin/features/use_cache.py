"""A config, and the folder of its cached features -> the same config without its towers at work."""

from __future__ import annotations

from mmengine.config import Config

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


def use_feature_cache(cfg: Config, cache: str) -> Config:
    """A copy of a config whose loaders read cached features; checkpoints fit the original config.

    Args:
        cfg: with the pipelines that were cached.
        cache: folder that tools/cache_features.py wrote.
    """
    cached = Config(cfg._cfg_dict.to_dict(), filename=cfg.filename)
    for name in LOADERS:
        if cached.get(name) is not None:
            loader = cached[name]
            loader['dataset'] = dict(type='CachedFeatureDataset', cache=cache, dataset=loader['dataset'])
    cached.custom_hooks = [*cached.get('custom_hooks', []), dict(type='FeatureCacheHook')]
    return cached
