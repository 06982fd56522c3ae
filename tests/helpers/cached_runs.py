"""Trainings with a cache of features and without, side by side."""

import copy
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.runner import Runner

from osdpm_plugin.features import use_feature_cache
from osdpm_plugin.features.build_cache import cache_features
from osdpm_plugin.registry import MODELS


def as_plain(cfg):
    """Two epochs on training images as those of val, so that one cached view says all."""
    plain = cfg.val_dataloader.dataset.pipeline
    steps = cfg.train_dataloader.dataset.pipeline
    captions = [step for step in steps if step.type in ('CountObjects', 'SampleCaptions')]
    cfg.train_dataloader.dataset.pipeline = [*plain[:2], *captions, *plain[2:]]
    cfg.train_cfg.max_epochs = 2


def fix_towers(cfg, weights):
    """Fix the towers' random weights on disk, as a pretrained pair would be."""
    for tower in (cfg.model.image_tower, cfg.model.text_tower):
        tower.pretrained = None
    model = MODELS.build(cfg.model)
    torch.save({'state_dict': model.state_dict()}, weights)
    cfg.model.image_tower.pretrained = cfg.model.text_tower.pretrained = str(weights)


def make_cache(cfg, out, **options):
    settings = dict(dtype='float32', batch_size=4)
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


def train_without_and_with(cfg, tmp_path, rtol, atol):
    """Cache, train on images and on the cache: equal losses and recalls, weights within the tolerances -> weights."""
    make_cache(cfg, tmp_path / 'cache')
    losses, recalls, weights = train(copy.deepcopy(cfg), f'{tmp_path.name}_plain')
    cached = train(use_feature_cache(cfg, str(tmp_path / 'cache')), f'{tmp_path.name}_cached')
    assert len(losses) == 4 and len(recalls) == 2
    np.testing.assert_allclose(cached[0], losses, rtol=1e-5)
    assert cached[1] == pytest.approx(recalls, abs=1e-6)
    torch.testing.assert_close(cached[2], weights, rtol=rtol, atol=atol)  # a checkpoint of one fits the other
    return weights
