"""Feature cache: towers that are frozen, whole or up to a block, run once -> a folder of features -> training of what
is not frozen.
"""

from .cached_dataset import CachedFeatureDataset
from .feature_cache_hook import FeatureCacheHook
from .store import FeatureStore, SplitWriter
from .use_cache import use_feature_cache

__all__ = ['CachedFeatureDataset', 'FeatureCacheHook', 'FeatureStore', 'SplitWriter', 'use_feature_cache']
