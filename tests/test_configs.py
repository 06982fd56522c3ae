"""Every shipped config builds, trains two iterations, evaluates and resumes, offline."""

import math

import pytest
import torch
from mmengine.runner import Runner

from tests.helpers.shrunk_configs import SHIPPED, shrink


def run_named(cfg, name):
    cfg.experiment_name = name
    return Runner.from_cfg(cfg)


def is_twin(config):
    """A config that differs in its data set, or in one value of a trial, from one that runs by default."""
    twins = {
        'comparison': ('_rsicd.py', '_rsitmd.py'),
        'resnet50': ('_rsicd150.py',),
        'regimes': ('_rsicd.py', '_rsicd150.py'),
        'trials': ('.py',),
        'few_captions': ('_plain.py', '_dapn.py', '_captioned.py', '_30.py', '_100.py'),
    }
    return config.endswith(twins.get(config.split('/')[-2], ('no config',)))


@pytest.mark.stack
@pytest.mark.parametrize('config', [pytest.param(c, marks=pytest.mark.slow) if is_twin(c) else c for c in SHIPPED])
def test_config(tmp_path, config):
    cfg = shrink(config, tmp_path)
    key = cfg.default_hooks.checkpoint.save_best
    runner = run_named(cfg, f'{config}-train')
    runner.model.init_weights()
    before = {name: p.detach().clone() for name, p in runner.model.named_parameters()}
    runner.train()
    assert runner.iter == 2 and runner.epoch == 1
    moved = {name for name, p in runner.model.named_parameters() if not torch.equal(p, before[name])}
    trainable = {name for name, p in runner.model.named_parameters() if p.requires_grad}
    necks = {name for name in trainable if name.startswith(('neck', 'text_neck'))}
    assert moved <= trainable and moved and (moved & necks or not necks)

    cfg.resume, cfg.train_cfg.max_epochs = True, 2
    resumed = run_named(cfg, f'{config}-resume')
    resumed.train()
    assert resumed.iter == 4 and resumed.epoch == 2

    (best,) = (tmp_path / 'work_dir').glob('best_*.pth')
    cfg.resume, cfg.load_from = False, str(best)
    result = run_named(cfg, f'{config}-test').test()[key]
    assert math.isfinite(result) and 0 <= result <= 100


def test_there_are_configs_for_the_mission():
    """Each set has OSDPM and the three rows of its ablation."""
    names = {c.removeprefix('configs/') for c in SHIPPED}
    sets = ('rsitmd', 'rsicd', 'ucm', 'scenes')
    assert {f'osdpm_{s}.py' for s in sets} <= names
    assert {f'ablations/{s}_{part}.py' for s in sets for part in ('no_dapn', 'no_osfcm', 'plain')} <= names
