"""Few captions from the cache of the full set, and a cache of captioned and labelled sets together."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.runner import Runner

from osdpm_plugin.errors import ConfigError
from osdpm_plugin.features import use_feature_cache
from osdpm_plugin.features.build_cache import cache_features
from osdpm_plugin.features.use_cache import without_feature_cache
from osdpm_plugin.launch.classify import classify_split
from osdpm_plugin.structures import RetrievalDataSample
from tests.helpers.shrunk_configs import shrink
from tests.test_datasets.test_labelled_images import write_images


def plain_views(cfg, part):
    """Images of training are not augmented, so that one cached view says all, and all captions are taken."""
    steps = cfg.val_dataloader.dataset.pipeline
    part.pipeline = [*steps[:2], dict(type='CountObjects'), dict(type='SampleCaptions', num=5), *steps[2:]]
    cfg.model.test_views = 1
    cfg.optim_wrapper.type = 'OptimWrapper'
    for neck in (cfg.model.neck, cfg.model.text_neck):
        neck.dropout = 0.0


def train(cfg, name):
    """Losses of each step, and the last recall."""
    cfg.experiment_name, cfg.work_dir = name, f'{cfg.work_dir}_{name}'
    runner = Runner.from_cfg(cfg)
    runner.model.init_weights()
    runner.train()
    logs = [json.loads(line) for line in Path(runner._log_dir, 'vis_data', 'scalars.json').read_text().splitlines()]
    names = ('loss_align', 'loss_cluster', 'loss_label')
    return [[log[key] for key in names] for log in logs if 'loss_align' in log]


def test_few_captions_run_from_the_cache_of_the_full_set(tmp_path):
    cfg = shrink('configs/few_captions/ucm_30.py', tmp_path)
    part = cfg.train_dataloader.dataset.dataset
    plain_views(cfg, part)
    base = copy.deepcopy(cfg)  # the config that the cache is made from knows nothing of few captions and labels
    base.train_dataloader.dataset = {key: value for key, value in part.items() if key != 'labels'}
    base.model.head = dict(type='ContrastiveHead')
    cache_features(base, str(tmp_path / 'cache'), dtype='float32', batch_size=4)
    losses = train(copy.deepcopy(cfg), f'{tmp_path.name}_images')
    cached_cfg = use_feature_cache(cfg, str(tmp_path / 'cache'))
    assert cached_cfg.train_dataloader.dataset.dataset.type == 'CachedFeatureDataset'
    assert without_feature_cache(cached_cfg).train_dataloader == cfg.train_dataloader
    cached = train(cached_cfg, f'{tmp_path.name}_cached')
    assert len(losses) == 2 and losses[0][2] > 0
    np.testing.assert_allclose(cached, losses, rtol=1e-4)


def test_captioned_and_labelled_sets_share_a_cache(tmp_path):
    cfg = shrink('configs/few_captions/ucm_10.py', tmp_path)
    part = cfg.train_dataloader.dataset.dataset
    plain_views(cfg, part)
    write_images(tmp_path / 'aid', *(f'{name}/{i}.png' for name in ('Quarry', 'Pond') for i in range(3)))
    aid = dict(type='LabelledImageDataset', data_root=str(tmp_path / 'aid'), pipeline=part.pipeline)
    cfg.train_dataloader.dataset = dict(type='MixedDataset', datasets=[part, aid], ratio=1.0)
    cache_features(cfg, str(tmp_path / 'cache'), dtype='float32', batch_size=4)
    assert {path.name for path in (tmp_path / 'cache').iterdir()} == {'manifest.json', 'train', 'all_1', 'val', 'test'}
    losses = train(copy.deepcopy(cfg), f'{tmp_path.name}_images')
    cached = train(use_feature_cache(cfg, str(tmp_path / 'cache')), f'{tmp_path.name}_cached')
    np.testing.assert_allclose(cached, losses, rtol=1e-4)
    cfg.train_dataloader.dataset.datasets[0] = dict(type='RepeatDataset', times=2, dataset=part)
    with pytest.raises(
        ConfigError, match='train_dataloader.dataset mixes a RepeatDataset, whose features cannot be cac'
    ):
        use_feature_cache(cfg, str(tmp_path / 'cache'))


def test_classification_of_a_split_and_of_labelled_images(tmp_path):
    """The tool's numbers are those of cosines between images and prompts, computed here one by one."""
    cfg = shrink('configs/few_captions/ucm_10.py', tmp_path)
    cfg.experiment_name = f'{tmp_path.name}_classify'
    runner = Runner.from_cfg(cfg)
    runner.model.init_weights()
    torch.save(dict(meta={}, state_dict=runner.model.state_dict()), tmp_path / 'weights.pth')
    model = runner.model.eval()
    cfg.experiment_name += '_split'
    found = classify_split(cfg, str(tmp_path / 'weights.pth'), split='test')
    data = runner.build_dataloader(cfg.test_dataloader).dataset
    names = sorted({data.own_label(Path(data.get_data_info(i)['img_path']).name) for i in range(len(data))})
    assert found.images == 6 and len(found.classes) == len(names) == 6

    write_images(tmp_path / 'aid', *(f'{name}/{i}.png' for name in ('Road', 'River') for i in range(3)))
    cfg.experiment_name += '_images'
    images = dict(type='LabelledImageDataset', data_root=str(tmp_path / 'aid'))
    found = classify_split(cfg, str(tmp_path / 'weights.pth'), images=images)
    assert found.images == 6 and found.top5 == 100 and list(found.classes) == ['river', 'road']
    tokens = model.head.tokens_of(['river', 'road'])
    with torch.no_grad():
        prompts = model.embed_texts(tokens).pooled
        black = model.data_preprocessor(
            dict(inputs=torch.zeros(1, 3, 32, 32, dtype=torch.uint8), data_samples=[RetrievalDataSample()])
        )
        scores = (model.embed_images(black['inputs']).embedding @ prompts.T)[0]
    winner = ['river', 'road'][int(scores.argmax())]  # all images are black, and so all fall into one class
    assert found.classes == {name: 100.0 * (name == winner) for name in ('river', 'road')} and found.top1 == 50
