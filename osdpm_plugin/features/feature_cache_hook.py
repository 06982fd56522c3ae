"""A hook that refuses cached features of other towers or depths, and skips words that the model does not read."""

from __future__ import annotations

import itertools
from typing import Any, Optional

from mmengine.hooks import Hook

from ..datasets.sets.wrappers import found_in
from ..errors import DataError
from ..models.backbones.cutting import cuttable, unsteady
from ..registry import HOOKS
from ..utils.dist import unwrapped
from .cached_dataset import CachedFeatureDataset
from .fingerprints import tower_hash, tower_settings, transform_hash


@HOOKS.register_module()
class FeatureCacheHook(Hook):
    """Compare the hash of the model's towers with the cache's before training, for its validation as well, and before a
    test; skip words if the text neck says that it reads none (``reads_words``). Cached features may also be inside
    wrappers of data sets.

    Raises:
        DataError: the cache was made by towers of other weights or frozen to another depth, or what was cached is to be
            trained.
    """

    def before_train(self, runner: Any) -> None:
        """After weights were loaded."""
        datasets = [runner.train_dataloader.dataset]
        if runner.val_loop is not None:
            datasets.append(runner.val_dataloader.dataset)
        self._check(runner, datasets)

    def before_test(self, runner: Any) -> None:
        """After weights were loaded."""
        self._check(runner, [runner.test_dataloader.dataset])

    def _check(self, runner: Any, datasets: list[Any]) -> None:
        model = unwrapped(runner.model)
        manifests: list[dict] = []
        found = [found_in(dataset, lambda part: isinstance(part, CachedFeatureDataset)) for dataset in datasets]
        for part in itertools.chain(*found):
            part.with_words = getattr(model.text_neck, 'reads_words', True)
            if part.store.manifest not in manifests:  # hashing towers takes seconds
                manifests.append(part.store.manifest)
        for manifest in manifests:
            self._compare(manifest, model, runner.cfg.model)

    @staticmethod
    def _compare(manifest: dict, model: Any, settings: Any) -> None:
        towers, depths = manifest['towers'], manifest.get('depths', {})
        for tower in towers:
            _compare_depth(tower, depths.get(tower), getattr(model, tower))
        if manifest['tower_hash'] != tower_hash(model, towers):
            raise DataError('the cached features were made by towers of other weights; cache again with this config')
        if manifest['tower_settings'] != transform_hash(tower_settings(settings, towers)):
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


def _compare_depth(name: str, cached: Optional[int], tower: Any) -> None:
    """Refuse features of the first ``cached`` blocks of a tower (None: of the whole) where it trains some of them, or
    freezes more.
    """
    cut = cuttable(tower)
    depth = None if cut is None else cut.cut
    trained = [key for key, p in tower.named_parameters() if p.requires_grad]
    if trained and cached is None:
        raise DataError(
            f'cached features are for frozen towers, but {name}.{trained[0]} is to be trained; freeze its tower, or '
            'cache the other one alone, or cache again with this config where the tower is frozen in part'
        )
    if depth != cached:
        now = (
            f'freezes its first {depth}' if trained and cut is not None else 'trains all' if trained else 'freezes all'
        )
        raise DataError(
            f'the cached features are of the first {cached} blocks of {name}, but the config {now}; cache again with '
            'this config, or freeze as many blocks'
        )
    if cut is not None and (found := unsteady(tower)):
        raise DataError(
            f'cached features are for a frozen part that never changes, but {name}.{found[0]} in it does; freeze it, '
            'or leave feature_cache out'
        )
