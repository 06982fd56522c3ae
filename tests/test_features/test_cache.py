"""Training from cached features is the training of the uncached config."""

import copy
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.runner import Runner

from osdpm_plugin.errors import DataError
from osdpm_plugin.features import use_feature_cache
from osdpm_plugin.features.build_cache import cache_features
from osdpm_plugin.features.store import FeatureStore, SplitWriter
from osdpm_plugin.registry import MODELS
from tests.shrunk_configs import shrink


@pytest.fixture
def cfg(tmp_path):
    """Tiny frozen OSDPM on UCM's layout whose images are not augmented, so that one cached view says all."""
    torch.manual_seed(0)
    cfg = shrink('configs/osdpm_ucm.py', tmp_path)
    plain = cfg.val_dataloader.dataset.pipeline
    captions = [
        step for step in cfg.train_dataloader.dataset.pipeline if step.type in ('CountObjects', 'SampleCaptions')
    ]
    cfg.train_dataloader.dataset.pipeline = [*plain[:2], *captions, *plain[2:]]
    cfg.train_cfg.max_epochs = 2
    weights = tmp_path / 'towers.pth'
    fix_towers(cfg, weights)
    return cfg


def fix_towers(cfg, weights):
    """Fix the towers' random weights on disk, as a pretrained pair would be."""
    for tower in (cfg.model.image_tower, cfg.model.text_tower):
        tower.pretrained = None
    model = MODELS.build(cfg.model)
    torch.save({'state_dict': model.state_dict()}, weights)
    cfg.model.image_tower.pretrained = cfg.model.text_tower.pretrained = str(weights)


def make_cache(cfg, out, **options):
    settings = dict(views=1, dtype='float32', grid='own', autocast=False, batch_size=4)
    cache_features(cfg, str(out), **dict(settings, **options))


def train(cfg, name):
    """Losses of each step, final weights, and the last validation."""
    cfg.experiment_name, cfg.work_dir = name, f'{cfg.work_dir}_{name}'
    runner = Runner.from_cfg(cfg)
    runner.train()
    logs = [json.loads(line) for line in Path(runner._log_dir, 'vis_data', 'scalars.json').read_text().splitlines()]
    losses = [[log['loss_align'], log['loss_cluster']] for log in logs if 'loss_align' in log]
    recalls = [log['retrieval/Rsum'] for log in logs if 'retrieval/Rsum' in log]
    return losses, recalls, {k: v.clone() for k, v in runner.model.state_dict().items()}


def test_losses_recall_and_weights_equal_the_uncached_runs(cfg, tmp_path):
    make_cache(cfg, tmp_path / 'cache')
    losses, recalls, weights = train(copy.deepcopy(cfg), f'{tmp_path.name}_plain')
    cached_losses, cached_recalls, cached_weights = train(
        use_feature_cache(cfg, str(tmp_path / 'cache')), f'{tmp_path.name}_cached'
    )
    assert len(losses) == 4 and len(recalls) == 2
    np.testing.assert_allclose(cached_losses, losses, rtol=1e-5)
    assert cached_recalls == pytest.approx(recalls, abs=1e-6)
    assert cached_weights.keys() == weights.keys()  # a checkpoint of one fits the other
    for name, value in weights.items():
        torch.testing.assert_close(cached_weights[name], value, rtol=1e-4, atol=1e-6)


def test_views_differ_and_the_first_is_plain(cfg, tmp_path):
    cfg.train_dataloader.dataset.pipeline.insert(2, dict(type='RandomRotate90', prob=1.0))
    make_cache(cfg, tmp_path / 'cache', views=3)
    store = FeatureStore(str(tmp_path / 'cache'), 'train')
    assert store.maps[0].shape[:3] == (3, 8, 64) and store.pooled.shape == (3, 8, 16)
    plain = FeatureStore(str(tmp_path / 'cache'), 'val')
    assert plain.views == 1
    views = store.maps[0]
    rows = [
        r for r in range(8) if len({views[v, r].tobytes() for v in range(3)}) == 3
    ]  # turned in three different ways
    assert rows and all(not np.array_equal(views[0, r], views[v, r]) for r in range(8) for v in (1, 2))
    dataset = Runner.build_dataloader(use_feature_cache(cfg, str(tmp_path / 'cache')).train_dataloader).dataset
    seen = set()
    for epoch in range(20):
        dataset.seed_epoch(0, epoch)
        drawn = dataset[rows[0]]['inputs']['maps'][0].numpy()
        seen.add(next(v for v in range(3) if np.array_equal(drawn, views[v, rows[0]])))
    assert seen == {0, 1, 2}


def test_pooling_to_the_coarsest_grid(cfg, tmp_path):
    make_cache(cfg, tmp_path / 'cache', grid='coarsest')
    assert FeatureStore(str(tmp_path / 'cache'), 'train').maps[0].shape == (1, 8, 64, 4, 4)


def test_an_interrupted_cache_goes_on_where_it_stopped(cfg, tmp_path, monkeypatch):
    make_cache(cfg, tmp_path / 'whole')
    original, calls = SplitWriter.write_images, []

    def dies_at_the_second_step(self, features):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        original(self, features)

    monkeypatch.setattr(SplitWriter, 'write_images', dies_at_the_second_step)
    with pytest.raises(KeyboardInterrupt):
        make_cache(cfg, tmp_path / 'cache')
    with pytest.raises(DataError, match='is incomplete; run tools/cache_features.py again'):
        FeatureStore(str(tmp_path / 'cache'), 'train')
    make_cache(cfg, tmp_path / 'cache')
    assert len(calls) == 2 + 1 + 2 + 2  # the rest of train, then val and test, and nothing twice
    for split in ('train', 'val', 'test'):
        a, b = FeatureStore(str(tmp_path / 'whole'), split), FeatureStore(str(tmp_path / 'cache'), split)
        np.testing.assert_array_equal(a.maps[0], b.maps[0])
        np.testing.assert_array_equal(a.text, b.text)


def test_stale_caches_are_refused(cfg, tmp_path):
    cache = tmp_path / 'cache'
    make_cache(cfg, cache)
    ann = tmp_path / 'data' / 'dataset.json'
    content = ann.read_text()

    ann.write_text(content.replace('beside a road', 'beside a street'))
    with pytest.raises(DataError, match='images or captions of train differ'):
        Runner.build_dataloader(use_feature_cache(cfg, str(cache)).train_dataloader)
    ann.write_text(content)

    changed = copy.deepcopy(cfg)
    changed.train_dataloader.dataset.pipeline[1].scale = (40, 40)
    with pytest.raises(DataError, match='the transforms or the tokenizer of train differ'):
        Runner.build_dataloader(use_feature_cache(changed, str(cache)).train_dataloader)

    torch.manual_seed(1)
    fix_towers(other := copy.deepcopy(cfg), tmp_path / 'other.pth')
    with pytest.raises(DataError, match='made by towers of other weights'):
        train(use_feature_cache(other, str(cache)), f'{tmp_path.name}_stale')
    with pytest.raises(DataError, match='features of another tower_hash; delete it'):
        make_cache(other, cache)

    pooled_otherwise = copy.deepcopy(cfg)
    pooled_otherwise.model.text_tower.quick_gelu = False
    with pytest.raises(DataError, match='made by towers of other settings'):
        train(use_feature_cache(pooled_otherwise, str(cache)), f'{tmp_path.name}_settings')

    cfg.model.image_tower.frozen = False
    with pytest.raises(DataError, match='image_tower.* is to be trained; freeze both towers'):
        train(use_feature_cache(cfg, str(cache)), f'{tmp_path.name}_trained')


def test_absent_cache(cfg, tmp_path):
    with pytest.raises(DataError, match='holds no cached features; make them with tools/cache_features.py'):
        Runner.build_dataloader(use_feature_cache(cfg, str(tmp_path / 'none')).train_dataloader)
