"""Training of the last blocks from a cache of the first is the training of the uncached config."""

import copy
import json

import numpy as np
import pytest
import torch
from mmengine.runner import Runner

from osdpm_plugin.errors import ConfigError, DataError
from osdpm_plugin.features import FeatureStore, SplitWriter, use_feature_cache
from osdpm_plugin.registry import MODELS
from osdpm_plugin.structures import PartialImages, PartialTexts
from tests.helpers.cached_runs import as_plain, make_cache, train, train_without_and_with
from tests.helpers.short_runs import run_here, weights_of
from tests.helpers.shrunk_configs import shrink
from tests.helpers.tools import run_tool_here

TOWERS = ('image_tower', 'text_tower')


def partial(cfg, towers=TOWERS, keep=1):
    """The last ``keep`` of the two blocks of some towers are trained."""
    for tower in towers:
        cfg.model[tower].update(frozen=False, trainable_blocks=keep)
    return cfg


def embeddings_of(cfg, checkpoint):
    """Image and text embeddings of the test split, by image id."""
    cfg = copy.deepcopy(cfg)
    cfg.custom_hooks = [hook for hook in cfg.custom_hooks if hook['type'] != 'EMAHook']
    runner = Runner.from_cfg(cfg)
    runner.load_checkpoint(str(checkpoint))
    runner.model.eval()
    found = {}
    with torch.no_grad():
        for batch in runner.test_dataloader:
            for sample in runner.model.test_step(batch):
                found[sample.image_id] = torch.cat([sample.image_embed[None], sample.text_embed])
    return found


@pytest.mark.parametrize('towers', [TOWERS, TOWERS[:1], TOWERS[1:]], ids=['both', 'image', 'text'])
def test_losses_recall_and_weights_equal_the_uncached_runs(cfg, tmp_path, towers):
    partial(cfg, towers)
    start = torch.load(cfg.model.text_tower.pretrained)['state_dict']
    weights = train_without_and_with(cfg, tmp_path, rtol=1e-3, atol=1e-4)  # four steps of Adam
    for tower in TOWERS:
        moved = {key for key, value in start.items() if key.startswith(tower) and not torch.equal(weights[key], value)}
        assert bool(moved) == (tower in towers)
        assert not any('resblocks.0.' in key or 'embedding' in key for key in moved)
    manifest = json.loads((tmp_path / 'cache' / 'manifest.json').read_text())
    assert manifest['version'] == 5 and manifest['depths'] == dict.fromkeys(towers, 1)
    store = FeatureStore(str(tmp_path / 'cache'), 'train')
    assert [a.shape for a in store.cut] == ([(1, 8, 17, 64)] if 'image_tower' in towers else [])
    if 'text_tower' in towers:
        assert (np.diff(store.ends, prepend=0) == store.lengths).all() and len(store.states) == store.lengths.sum()
        assert store.text is None and len(store.states) < len(store.lengths) * store.lengths.max()


def test_a_resnet_and_minilm(tmp_path):
    """The shipped config, one plain view of each image, float32."""
    cfg = shrink('configs/regimes/resnet50_minilm_partial_ucm.py', tmp_path)
    as_plain(cfg)
    cfg.model.test_views = 1
    cfg.optim_wrapper.type = 'OptimWrapper'
    torch.manual_seed(0)
    tower = MODELS.build(cfg.model.image_tower)
    tower.init_weights()
    torch.save(tower.state_dict(), tmp_path / 'resnet.pth')
    cfg.model.image_tower.init_cfg = dict(type='Pretrained', checkpoint=str(tmp_path / 'resnet.pth'))
    train_without_and_with(cfg, tmp_path, rtol=1e-3, atol=1e-4)
    manifest = json.loads((tmp_path / 'cache' / 'manifest.json').read_text())
    assert manifest['depths'] == dict(image_tower=3, text_tower=0)
    assert [a.shape for a in FeatureStore(str(tmp_path / 'cache'), 'val').cut] == [(1, 6, 32, 2, 2)]


@pytest.mark.parametrize('dtype, tolerance', [('float16', 2e-3), ('bfloat16', 2e-2)])
def test_half_precision(cfg, tmp_path, dtype, tolerance):
    """What rounding to half precision at the cut costs: relative to the losses of the first step."""
    partial(cfg)
    cfg.train_cfg.max_epochs = 1
    make_cache(cfg, tmp_path / 'cache', dtype=dtype)
    losses, _, _ = train(copy.deepcopy(cfg), f'{tmp_path.name}_plain')
    cached, _, _ = train(use_feature_cache(cfg, str(tmp_path / 'cache')), f'{tmp_path.name}_cached')
    np.testing.assert_allclose(cached[0], losses[0], rtol=tolerance)


def test_turns_views_and_gradient_cache(cfg, tmp_path):
    """Rows for each turn and view; embeddings over turns equal those of the uncached model; chunks change nothing."""
    partial(cfg)
    cfg.model.test_views = 4
    make_cache(cfg, tmp_path / 'cache', augmented_views=1)
    assert FeatureStore(str(tmp_path / 'cache'), 'train').cut[0].shape == (5, 8, 17, 64)
    cached = use_feature_cache(cfg, str(tmp_path / 'cache'))
    cached.experiment_name = f'{tmp_path.name}_chunks'
    runner = Runner.from_cfg(cached)
    model = runner.model
    model.init_weights()
    torch.save({'state_dict': model.state_dict()}, tmp_path / 'start.pth')
    batch = next(iter(runner.build_dataloader(cached.train_dataloader)))
    data = model.data_preprocessor(batch, training=True)
    assert isinstance(data['inputs'], PartialImages) and isinstance(
        model._collate(data['data_samples']).texts, PartialTexts
    )
    model.head.set_object_frequency(torch.linspace(0.9, 0.1, len(model.head.lexicon)))
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    found = []
    for chunk in (None, 3):
        model.grad_cache_chunk = chunk
        losses = model(**data, mode='loss')
        sum(losses.values()).backward()
        found.append({name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None})
        model.zero_grad()
    torch.testing.assert_close(found[1], found[0], rtol=1e-4, atol=1e-6)
    cfg.experiment_name = f'{tmp_path.name}_images'
    cached.experiment_name = f'{tmp_path.name}_features'
    want, have = (embeddings_of(c, tmp_path / 'start.pth') for c in (cfg, cached))
    torch.testing.assert_close(have, want, rtol=1e-4, atol=1e-6)


def test_an_interrupted_cache_goes_on_where_it_stopped(cfg, tmp_path, monkeypatch):
    partial(cfg)
    monkeypatch.setattr('osdpm_plugin.features.extraction.TEXT_BATCH', 7)
    make_cache(cfg, tmp_path / 'whole')
    for method in ('write_images', 'write_texts'):
        original, calls = getattr(SplitWriter, method), []

        def dies_at_the_second_step(self, features, original=original, calls=calls):
            calls.append(1)
            if len(calls) == 2:
                raise KeyboardInterrupt
            original(self, features)

        monkeypatch.setattr(SplitWriter, method, dies_at_the_second_step)
        with pytest.raises(KeyboardInterrupt):
            make_cache(cfg, tmp_path / 'cache')
        with pytest.raises(DataError, match='is incomplete; run tools/cache_features.py again'):
            FeatureStore(str(tmp_path / 'cache'), 'train')
        monkeypatch.setattr(SplitWriter, method, original)
    make_cache(cfg, tmp_path / 'cache')
    for split in ('train', 'val', 'test'):
        for name in ('cut0', 'states', 'ends', 'lengths'):
            a, b = (np.load(tmp_path / folder / split / f'{name}.npy') for folder in ('whole', 'cache'))
            np.testing.assert_array_equal(a, b)


def test_other_depths_and_weights_are_refused(cfg, tmp_path):
    whole = copy.deepcopy(cfg)
    partial(cfg)
    make_cache(cfg, tmp_path / 'cache')
    for change, words in (
        (
            lambda c: partial(c, keep=2),
            'first 1 blocks of image_tower, but the config freezes its first 0; cache again',
        ),
        (lambda c: c.model.image_tower.pop('trainable_blocks'), 'image_tower, but the config trains all; cache again'),
    ):
        other = copy.deepcopy(cfg)
        change(other)
        with pytest.raises(DataError, match=words):
            train(use_feature_cache(other, str(tmp_path / 'cache')), f'{tmp_path.name}_depth')
    with pytest.raises(DataError, match='of the first 1 blocks of image_tower, but the config freezes all'):
        train(use_feature_cache(whole, str(tmp_path / 'cache')), f'{tmp_path.name}_whole')
    make_cache(whole, tmp_path / 'of_whole')
    assert json.loads((tmp_path / 'of_whole' / 'manifest.json').read_text())['version'] == 4
    with pytest.raises(DataError, match='is to be trained; freeze its tower.* or cache again with this config'):
        train(use_feature_cache(cfg, str(tmp_path / 'of_whole')), f'{tmp_path.name}_partial')

    weights = torch.load(cfg.model.text_tower.pretrained)
    key = 'image_tower.visual.transformer.resblocks.{}.mlp.c_fc.weight'
    weights['state_dict'][key.format(1)] += 1  # behind the cut, where training changes it
    torch.save(weights, cfg.model.text_tower.pretrained)
    train(use_feature_cache(cfg, str(tmp_path / 'cache')), f'{tmp_path.name}_behind')
    weights['state_dict'][key.format(0)] += 1
    torch.save(weights, cfg.model.text_tower.pretrained)
    with pytest.raises(DataError, match='made by towers of other weights'):
        train(use_feature_cache(cfg, str(tmp_path / 'cache')), f'{tmp_path.name}_before')


def test_what_cannot_be_cached(cfg, tmp_path):
    partial(cfg)
    with pytest.raises(ConfigError, match='--grid coarsest pools maps for a neck, but stages of image_tower read them'):
        make_cache(cfg, tmp_path / 'cache', grid='coarsest')
    cfg.model.image_tower.pop('trainable_blocks')
    with pytest.raises(
        ConfigError, match='the features of image_tower cannot be cached.*freeze it in the config, whole'
    ):
        make_cache(cfg, tmp_path / 'cache', towers=['image_tower'])


def test_a_tower_that_gives_something_else_in_two_parts_is_refused(cfg, tmp_path, monkeypatch):
    from osdpm_plugin.models.backbones import OpenCLIPImageTower

    partial(cfg)
    original = OpenCLIPImageTower.trained_part
    monkeypatch.setattr(
        OpenCLIPImageTower,
        'trained_part',
        lambda self, partial: original(self, PartialImages((partial.values[0].flip(-1),))),
    )
    monkeypatch.setattr(OpenCLIPImageTower, 'forward', lambda self, x: original(self, self.frozen_part(x)))
    with pytest.raises(ConfigError, match='image_tower in two parts gives other features than in one'):
        make_cache(cfg, tmp_path / 'cache')


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        (lambda f: (f / 'cut0.npy').unlink(), 'cut0.npy is missing; delete the folder .*val and cache again'),
        (lambda f: (f / 'states.npy').write_bytes((f / 'states.npy').read_bytes()[:-4]), 'states.npy is damaged'),
        (lambda f: np.save(f / 'ends.npy', np.load(f / 'ends.npy')[::-1]), 'lengths.npy is damaged .numbers of words'),
        (lambda f: np.save(f / 'lengths.npy', np.load(f / 'lengths.npy') + 9), 'lengths.npy is damaged .numbers of'),
    ],
    ids=['image gone', 'text cut', 'ends', 'lengths'],
)
def test_damage(cfg, tmp_path, change, words):
    make_cache(partial(cfg), tmp_path / 'cache')
    change(tmp_path / 'cache' / 'val')
    with pytest.raises(DataError, match=words):
        FeatureStore(str(tmp_path / 'cache'), 'val')


def test_the_trip_of_the_tools(cfg, tmp_path):
    """Cache, train with moving averages, resume, test with and without the cache: the same results."""
    partial(cfg)
    cfg.custom_hooks.append(dict(type='EMAHook', ema_type='ExponentialMovingAverage', momentum=0.5))
    cfg.dump(str(tmp_path / 'config.py'))
    config, cache, work = str(tmp_path / 'config.py'), str(tmp_path / 'cache'), tmp_path / 'run'
    assert run_tool_here('cache_features.py', config, '--out', cache, '--dtype', 'float32') == 0
    first = run_here('train', config, '--work-dir', work, feature_cache=cache, train_cfg__max_epochs=1)
    assert first.code == 0, first.err
    again = run_here('train', config, '--work-dir', work, '--resume', feature_cache=cache)
    assert again.code == 0, again.err
    best = next(work.glob('best_*.pth'))
    assert any('ema' in key or 'image_tower' in key for key in weights_of(best))
    recalls = []
    for options in ({}, dict(feature_cache=cache)):
        outcome = run_here('test', config, best, '--work-dir', tmp_path / f'test_{len(recalls)}', **options)
        assert outcome.code == 0, outcome.err
        result = next((tmp_path / f'test_{len(recalls)}').rglob('test_results.json'))
        recalls.append(json.loads(result.read_text()))
    values = [{key: value for key, value in r.items() if key in ('metrics', 'recall', 'results')} for r in recalls]
    assert values[0] == values[1] and values[0], recalls[0].keys()
    images = copy.deepcopy(cfg)
    images.experiment_name = f'{tmp_path.name}_images'
    features = use_feature_cache(cfg, cache)
    features.experiment_name = f'{tmp_path.name}_features'
    want, have = embeddings_of(images, best), embeddings_of(features, best)
    torch.testing.assert_close(have, want, rtol=1e-4, atol=1e-6)
