"""Another number of epochs, from the command line or for a resumed training: the learning rate ends with it."""

from __future__ import annotations

import copy
import json
import math
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.optim import ReduceOnPlateauLR
from mmengine.registry import HOOKS

from osdpm_plugin.engine.resumed_schedule_hook import ResumedScheduleHook
from osdpm_plugin.launch.schedules import follow_length
from tests.helpers.short_runs import change_config, run_here, write_config

LR = 5e-4
WARM_UP = dict(type='LinearLR', start_factor=0.01, by_epoch=True, begin=0, end=1, convert_to_iter_based=True)
COSINE = dict(type='CosineAnnealingLR', by_epoch=True, begin=1, end=2, T_max=1, convert_to_iter_based=True)


@HOOKS.register_module(force=True)
class RecordRates(Hook):
    """Append the learning rate of every step to ``rates.jsonl`` in work_dir."""

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        with open(Path(runner.work_dir, 'rates.jsonl'), 'a') as file:
            file.write(json.dumps([runner.iter, runner.optim_wrapper.param_groups[0]['lr']]) + '\n')


def rates_of(work_dir):
    return dict(json.loads(line) for line in (work_dir / 'rates.jsonl').read_text().splitlines())


@pytest.fixture(scope='module')
def config(tmp_path_factory):
    """Two epochs of two steps, with a warm-up and a cosine to the end."""
    path = write_config(tmp_path_factory.mktemp('schedule'), **{'train_cfg.max_epochs': 2})

    def change(cfg):
        cfg.param_scheduler = [WARM_UP, dict(COSINE)]
        cfg.optim_wrapper.optimizer.lr = LR
        cfg.custom_hooks.append(dict(type='RecordRates'))

    change_config(path, change)
    return path


@pytest.fixture(scope='module')
def four(config, tmp_path_factory):
    """The folder of a training of four epochs."""
    folder = tmp_path_factory.mktemp('four')
    outcome = run_here('train', config, '--work-dir', folder, train_cfg__max_epochs=4)
    assert outcome.code == 0, outcome.err
    assert 'max_epochs=4 instead of 2: the schedule ends there too' in outcome.out
    return folder


def test_a_longer_training_has_a_longer_cosine(four):
    """Two steps an epoch: a warm-up of two steps, then a cosine over six that ends with the training."""
    rates = rates_of(four)
    assert sorted(rates) == list(range(8))
    assert [rates[0], rates[1]] == pytest.approx([0.01 * LR, LR])
    cosine = [LR * (1 + math.cos(math.pi * k / 6)) / 2 for k in range(6)]
    assert [rates[k] for k in range(2, 8)] == pytest.approx(cosine)


@pytest.mark.stack
@pytest.mark.parametrize('kind', ['Runner', 'FlexibleRunner'])
def test_a_resumed_training_has_the_rates_of_one_from_the_start(config, four, tmp_path, kind):
    """Epochs 3 and 4 after two of a training of two have the rates of epochs 3 and 4 of a training of four."""
    options = {} if kind == 'Runner' else dict(runner_type=kind)
    assert run_here('train', config, '--work-dir', tmp_path, **options).code == 0
    first = rates_of(tmp_path)
    assert first[3] == pytest.approx(LR / 2), 'a cosine over two steps'
    outcome = run_here('train', config, '--work-dir', tmp_path, '--resume', train_cfg__max_epochs=4, **options)
    assert outcome.code == 0, outcome.err
    assert 'the learning rate goes on at 0.000375' in outcome.out
    rates, want = rates_of(tmp_path), rates_of(four)
    assert sorted(rates) == list(range(8)) and rates[1] == want[1]
    assert [rates[k] for k in range(4, 8)] == [want[k] for k in range(4, 8)]
    assert [rates[k] for k in range(4)] == [first[k] for k in range(4)]


def test_an_equal_schedule_is_left_alone(config, four, tmp_path):
    """A resumed training of the same length goes on as it would have."""
    outcome = run_here(
        'train', config, '--work-dir', tmp_path, '--resume', four / 'epoch_4.pth', train_cfg__max_epochs=4
    )
    assert outcome.code == 0 and 'goes on at' not in outcome.out


def test_another_batch_size(config, tmp_path):
    """Four steps an epoch instead of two after epoch 1: the cosine still ends with epoch 2."""
    assert run_here('train', config, '--work-dir', tmp_path, train_cfg__max_epochs=1).code == 0
    outcome = run_here(
        'train', config, '--work-dir', tmp_path, '--resume', train_dataloader__batch_size=2, train_cfg__max_epochs=2
    )
    assert outcome.code == 0, outcome.err
    rates = rates_of(tmp_path)
    assert [rates[k] for k in range(2, 6)] == pytest.approx(
        [LR * (1 + math.cos(math.pi * k / 4)) / 2 for k in range(4)]
    )


def test_a_new_rate_is_not_taken_silently(config, four, tmp_path):
    outcome = run_here(
        'train', config, '--work-dir', tmp_path, '--resume', four / 'epoch_4.pth', train_cfg__max_epochs=5,
        optim_wrapper__optimizer__lr=1.0,
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert 'lr begins at 1 in the config and at 0.0005 in the checkpoint, which is kept' in outcome.out
    assert max(rates_of(tmp_path).values()) < LR


def test_a_schedule_by_a_metric_is_loaded_as_it_is():
    scheduler = ReduceOnPlateauLR(torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1), monitor='mR')
    runner = SimpleNamespace(param_schedulers=[scheduler], _resume=True)
    checkpoint = dict(param_schedulers=[scheduler.state_dict()], optimizer={}, meta={})
    before = copy.deepcopy(checkpoint)
    ResumedScheduleHook().after_load_checkpoint(runner, checkpoint)
    assert checkpoint == before


@pytest.mark.parametrize(
    ('train', 'scheduler', 'options', 'ends'),
    [
        (dict(max_epochs=30), dict(type='C', begin=2, end=30, T_max=28), {'train_cfg.max_epochs': 50}, (50, 48)),
        (dict(max_epochs=30), dict(type='C', begin=2, end=30, T_max=28), {'train_cfg.max_epochs': 3}, (3, 1)),
        (dict(max_epochs=30), dict(type='C', begin=2, end=30, T_max=28), {'train_cfg.max_epochs': 2}, (30, 28)),
        (dict(max_epochs=30), dict(type='C', begin=1, end=30, T_max=28), {'train_cfg.max_epochs': 60}, (30, 28)),
        (dict(max_epochs=30), dict(type='C', T_max=30), {'train_cfg.max_epochs': 50}, (None, 50)),
        (dict(max_epochs=30), dict(type='C', end=30), {'train_cfg': dict(max_epochs=50)}, (50, None)),
        (dict(max_epochs=30), dict(type='C', begin=2, end=20, T_max=18), {'train_cfg.max_epochs': 50}, (20, 18)),
        (dict(max_epochs=30), dict(type='C', end=30, T_max=30), {'train_cfg.val_interval': 50}, (30, 30)),
        (dict(max_epochs=30), dict(type='C', by_epoch=False, end=30), {'train_cfg.max_epochs': 50}, (30, None)),
        (dict(max_iters=900), dict(type='C', by_epoch=False, end=900), {'train_cfg.max_iters': 50}, (50, None)),
        (dict(max_epochs=30), dict(type='M', milestones=[10, 20]), {'train_cfg.max_epochs': 50}, (None, None)),
    ],
)
def test_ends(train, scheduler, options, ends):
    cfg = Config(dict(train_cfg=train, param_scheduler=[scheduler]))
    follow_length(cfg, options)
    (moved,) = cfg.param_scheduler
    assert (moved.get('end'), moved.get('T_max')) == ends
    cfg = Config(dict(train_cfg=train, param_scheduler=scheduler))
    follow_length(cfg, options)
    assert (cfg.param_scheduler.get('end'), cfg.param_scheduler.get('T_max')) == ends
    assert cfg.param_scheduler.get('milestones') == scheduler.get('milestones')


def test_what_the_user_sets_counts(config, tmp_path):
    options = {'param_scheduler.1.end': 3, 'param_scheduler.1.T_max': 2}
    outcome = run_here(
        'train', config, '--work-dir', tmp_path, train_cfg__max_epochs=4,
        **{key.replace('.', '__'): value for key, value in options.items()},
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert rates_of(tmp_path)[5] == pytest.approx(LR * (1 + math.cos(math.pi * 3 / 4)) / 2)
