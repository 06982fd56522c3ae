"""Refuse features of other towers, and read those that the model needs."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import Hook

from ..errors import DataError
from ..registry import HOOKS
from ..utils.unwrap import unwrapped
from .cached_dataset import CachedFeatureDataset
from .fingerprints import tower_hash, tower_settings, transform_hash


@HOOKS.register_module()
class FeatureCacheHook(Hook):
    """Compare the hash of the model's towers with the cache's before training and before a test; leave out words where
    the text neck says that it reads none (``reads_words``).

    Raises:
        DataError: the cache was made by towers of other weights, or the towers are to be trained.
    """

    def before_train(self, runner: Any) -> None:
        """After weights were loaded."""
        self._check(runner, runner.train_dataloader.dataset)
        if runner.val_loop is not None:
            self._leave_out_words(runner, runner.val_dataloader.dataset)

    def before_test(self, runner: Any) -> None:
        """After weights were loaded."""
        self._check(runner, runner.test_dataloader.dataset)

    @staticmethod
    def _leave_out_words(runner: Any, dataset: Any) -> None:
        if isinstance(dataset, CachedFeatureDataset):
            dataset.with_words = getattr(unwrapped(runner.model).text_neck, 'reads_words', True)

    def _check(self, runner: Any, dataset: Any) -> None:
        if not isinstance(dataset, CachedFeatureDataset):
            return
        self._leave_out_words(runner, dataset)
        model = unwrapped(runner.model)
        manifest = dataset.store.manifest
        towers = manifest['towers']
        trained = [n for n, p in model.named_parameters() if p.requires_grad and n.startswith(tuple(towers))]
        if trained:
            raise DataError(
                f'cached features are for frozen towers, but {trained[0]} is to be trained; freeze its tower, or cache '
                'the other one alone'
            )
        if manifest['tower_hash'] != tower_hash(model, towers):
            raise DataError('the cached features were made by towers of other weights; cache again with this config')
        if manifest['tower_settings'] != transform_hash(tower_settings(runner.cfg.model, towers)):
            raise DataError('the cached features were made by towers of other settings; cache again with this config')
        if 'image_tower' not in towers:
            return
        if manifest['test_views'] != model.test_views:
            raise DataError(
                f'the cache holds {manifest["test_views"]} turns of each image, but model.test_views is '
                f'{model.test_views}; set it to the same number or cache again'
            )
        if manifest['grid'] == 'coarsest' and getattr(model.neck, 'grid', None) == 'finest':
            raise DataError(
                'the cached maps are pooled to the coarsest grid, but the neck works on the finest; set '
                "model.neck.grid='coarsest' or cache with --grid own"
            )
