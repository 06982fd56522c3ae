"""Training from cached features is the training of the uncached config."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.runner import Runner

from osdpm_plugin.errors import ConfigError, DataError
from osdpm_plugin.features import use_feature_cache
from osdpm_plugin.features.cache_files import DTYPES
from osdpm_plugin.features.store import FeatureStore, SplitWriter, from_rows, to_rows
from osdpm_plugin.features.use_cache import without_feature_cache
from osdpm_plugin.models.necks import TextProjection
from osdpm_plugin.models.retrievers import ImageTextRetriever
from osdpm_plugin.registry import MODELS
from tests.helpers.cached_runs import fix_towers, make_cache, train, train_without_and_with


def test_losses_recall_and_weights_equal_the_uncached_runs(cfg, tmp_path):
    train_without_and_with(cfg, tmp_path, rtol=1e-4, atol=1e-6)


def test_views_differ_and_the_first_is_plain(cfg, tmp_path):
    cfg.train_dataloader.dataset.pipeline.insert(2, dict(type='RandomRotate90', prob=1.0))
    make_cache(cfg, tmp_path / 'cache', augmented_views=2)
    store = FeatureStore(str(tmp_path / 'cache'), 'train')
    assert store.maps[0].shape[:3] == (3, 8, 64) and store.pooled.shape == (3, 8, 16)
    plain = FeatureStore(str(tmp_path / 'cache'), 'val')
    assert plain.views == 1
    views = store.maps[0]
    rows = [r for r in range(8) if len({views[v, r].tobytes() for v in range(3)}) == 3]  # turned in three ways
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
    with pytest.raises(DataError, match='image_tower.* is to be trained; freeze its tower'):
        train(use_feature_cache(cfg, str(cache)), f'{tmp_path.name}_trained')


@pytest.mark.parametrize('loader', ['train_dataloader', 'val_dataloader'])
def test_stale_caches_are_refused_inside_wrappers_and_in_validation(cfg, tmp_path, loader):
    """The other loaders read images."""
    make_cache(cfg, tmp_path / 'cache')
    torch.manual_seed(1)
    fix_towers(cfg, tmp_path / 'other.pth')
    cached = use_feature_cache(cfg, str(tmp_path / 'cache'))
    cfg.custom_hooks = cached.custom_hooks
    cfg[loader].dataset = dict(type='SeedByPosition', dataset=cached[loader].dataset)
    with pytest.raises(DataError, match='made by towers of other weights'):
        train(cfg, f'{tmp_path.name}_stale')


def test_absent_cache(cfg, tmp_path):
    with pytest.raises(DataError, match='holds no cached features; make them with tools/cache_features.py'):
        Runner.build_dataloader(use_feature_cache(cfg, str(tmp_path / 'none')).train_dataloader)


def test_turns_for_evaluation_equal_the_uncached_runs(cfg, tmp_path):
    cfg.model.test_views = 4
    make_cache(cfg, tmp_path / 'cache')
    store = FeatureStore(str(tmp_path / 'cache'), 'val')
    assert store.views == 4
    mirrored = np.flip(store.maps[0][0], axis=-1)  # a patch embedding does not commute with turns: maps must differ
    assert not np.allclose(store.maps[0][1], mirrored)
    _, recalls, weights = train(copy.deepcopy(cfg), f'{tmp_path.name}_plain')
    cached = use_feature_cache(cfg, str(tmp_path / 'cache'))
    cached.experiment_name, cached.work_dir = f'{tmp_path.name}_eval', f'{cfg.work_dir}_eval'
    cached.test_dataloader = cached.val_dataloader
    runner = Runner.from_cfg(cached)
    runner.model.load_state_dict(weights)
    assert runner.test()['retrieval/Rsum'] == pytest.approx(recalls[-1], abs=1e-6)

    cached.model.test_views = 2
    with pytest.raises(DataError, match='the cache holds 4 turns of each image, but model.test_views is 2'):
        train(cached, f'{tmp_path.name}_turns')


def test_words_are_the_towers(cfg, tmp_path):
    make_cache(cfg, tmp_path / 'cache')
    cached = use_feature_cache(cfg, str(tmp_path / 'cache'))
    loader, plain = (Runner.build_dataloader(c.val_dataloader) for c in (cached, cfg))
    model = MODELS.build(cfg.model).eval()
    model.init_weights()
    for cached_batch, batch in zip(loader, plain):
        features = model._collate(cached_batch['data_samples']).texts
        tokens = model._collate(batch['data_samples']).texts
        with torch.no_grad():
            texts = model.text_tower(tokens)
        longest = features.words.shape[1]
        assert longest == features.mask.sum(dim=1).max() and not texts.mask[:, longest:].any()
        assert torch.equal(features.mask, texts.mask[:, :longest])
        torch.testing.assert_close(features.pooled, texts.pooled, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(features.words[features.mask], texts.words[texts.mask], rtol=1e-4, atol=1e-5)


def test_words_are_read_where_the_text_neck_reads_them(cfg, tmp_path, monkeypatch):
    """By what CLIP's text neck says of itself; a neck that says nothing is given its words."""
    make_cache(cfg, tmp_path / 'cache')
    lengths = []
    collate = ImageTextRetriever._collate

    def spy(model, samples):
        captions = collate(model, samples)
        lengths.append(captions.texts.words.shape[1])
        return captions

    monkeypatch.setattr(ImageTextRetriever, '_collate', spy)
    without = train(use_feature_cache(cfg, str(tmp_path / 'cache')), f'{tmp_path.name}_without')
    assert lengths and set(lengths) == {1}
    lengths.clear()
    monkeypatch.delattr(TextProjection, 'reads_words')
    with_words = train(use_feature_cache(cfg, str(tmp_path / 'cache')), f'{tmp_path.name}_with')
    assert lengths and min(lengths) > 1
    assert with_words[:2] == without[:2]


@pytest.mark.parametrize('tower, other', [('image_tower', 'text_tower'), ('text_tower', 'image_tower')])
def test_one_tower_cached_and_the_other_trained(cfg, tmp_path, tower, other):
    cfg.model[other].frozen = False
    weights = train_without_and_with(cfg, tmp_path, rtol=1e-3, atol=1e-4)  # four steps of Adam at 5e-4
    start = torch.load(cfg.model.text_tower.pretrained)['state_dict']
    assert not torch.equal(weights['neck.gate'], start['neck.gate'])
    assert any(not torch.equal(weights[k], v) for k, v in start.items() if k.startswith(other))


def tokens_of(cfg, cache):
    """The first caption's tokens, as a model reads them that trains its text tower beside a cache."""
    dataset = Runner.build_dataloader(use_feature_cache(cfg, str(cache)).val_dataloader).dataset
    return dataset[0]['data_samples'].tokens[0]


def test_images_alone_are_cached_for_any_tokenizer(cfg, tmp_path, monkeypatch):
    cfg.model.text_tower.frozen = False
    other = copy.deepcopy(cfg)
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        for step in other[name].dataset.pipeline:
            if step.type == 'TokenizeCaptions':
                step.tokenizer.context_length = 12
    make_cache(cfg, tmp_path / 'cache')
    manifest = (tmp_path / 'cache' / 'manifest.json').read_text()
    store = FeatureStore(str(tmp_path / 'cache'), 'val')
    assert store.towers == ['image_tower'] and store.row_of_caption == {}

    monkeypatch.setattr(SplitWriter, 'write_images', None)  # not callable
    make_cache(other, tmp_path / 'cache')  # all is there already
    assert (tmp_path / 'cache' / 'manifest.json').read_text() == manifest
    assert len(tokens_of(cfg, tmp_path / 'cache')) == 16 and len(tokens_of(other, tmp_path / 'cache')) == 12

    other.val_dataloader.dataset.pipeline[1].scale = (40, 40)  # what touches pixels still counts
    with pytest.raises(DataError, match='the transforms or the tokenizer of val differ'):
        tokens_of(other, tmp_path / 'cache')
    with pytest.raises(DataError, match='features of another first_view, splits; delete it'):
        make_cache(other, tmp_path / 'cache')


def test_texts_are_cached_for_their_tokenizer(cfg, tmp_path):
    make_cache(cfg, tmp_path / 'cache')
    for step in cfg.val_dataloader.dataset.pipeline:
        if step.type == 'TokenizeCaptions':
            step.tokenizer.context_length = 12
    with pytest.raises(DataError, match='the transforms or the tokenizer of val differ'):
        tokens_of(cfg, tmp_path / 'cache')


def test_a_split_must_be_named(cfg, tmp_path):
    cfg.test_dataloader.dataset.split = None
    with pytest.raises(ConfigError, match='test_dataloader.dataset.split is not named.*; name a split'):
        make_cache(cfg, tmp_path / 'cache')


def test_only_frozen_towers_can_be_cached(cfg, tmp_path):
    cfg.model.image_tower.frozen = False
    with pytest.raises(ConfigError, match='the features of image_tower cannot be cached'):
        make_cache(cfg, tmp_path / 'cache', towers=['image_tower'])


def test_a_config_is_cached_once_however_often_it_is_asked_for(cfg):
    """A config that mmengine wrote into a work dir reads a cache already."""
    once, plain = use_feature_cache(cfg, 'b'), without_feature_cache(cfg)
    assert use_feature_cache(use_feature_cache(cfg, 'a'), 'b')._cfg_dict == once._cfg_dict
    assert without_feature_cache(once)._cfg_dict == plain._cfg_dict
    assert once.train_dataloader.dataset.dataset == cfg.train_dataloader.dataset


def test_wrappers_of_data_sets_are_refused(cfg, tmp_path):
    inner = cfg.train_dataloader.dataset
    for options in (
        dict(type='RepeatDataset', times=2, dataset=inner),
        dict(type='ConcatDataset', datasets=[inner] * 2),
    ):
        cfg.train_dataloader.dataset = options
        for use in (make_cache, use_feature_cache):
            with pytest.raises(ConfigError, match=f'train_dataloader.dataset, a {options["type"]}, has no split'):
                use(cfg, str(tmp_path / 'cache'))


@pytest.mark.parametrize('dtype', ['float16', 'bfloat16', 'float32'])
def test_stored_precision(dtype):
    values = torch.tensor([[1.0, -3.14159, 1e-3, 65504.0]])
    stored = from_rows(to_rows(values, DTYPES[dtype]))
    assert stored.dtype == DTYPES[dtype] and torch.equal(stored, values.to(DTYPES[dtype]))


def test_values_beyond_float16_are_clipped():
    assert from_rows(to_rows(torch.tensor([1e6, -1e6]), torch.float16)).tolist() == [65504.0, -65504.0]


def test_a_moving_average_of_frozen_towers_does_not_make_the_cache_stale(cfg, tmp_path):
    weights = torch.load(cfg.model.text_tower.pretrained)
    weights['state_dict']['text_tower.text.token_embedding.weight'][0] = -0.0  # an average turns it into 0.0
    torch.save(weights, cfg.model.text_tower.pretrained)
    make_cache(cfg, tmp_path / 'cache')
    cached = use_feature_cache(cfg, str(tmp_path / 'cache'))
    cached.custom_hooks.append(dict(type='EMAHook', ema_type='ExponentialMovingAverage', momentum=0.5))
    _, _, averaged = train(cached, f'{tmp_path.name}_ema')
    checkpoint = next(Path(cached.work_dir).glob('best_*.pth'))
    cached.load_from, cached.experiment_name = str(checkpoint), f'{tmp_path.name}_test'
    assert 'retrieval/Rsum' in Runner.from_cfg(cached).test()
