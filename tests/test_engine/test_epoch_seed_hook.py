"""A run is a function of its seed: workers, interruptions and restarts change no bit of it."""

from __future__ import annotations

import signal
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import ConcatDataset, RepeatDataset
from mmengine.runner import IterBasedTrainLoop

from osdpm_plugin.datasets import CaptionRetrievalDataset
from osdpm_plugin.engine import EpochSeedHook
from osdpm_plugin.registry import MODELS
from tests.generated_data import write_dataset
from tests.short_runs import finish, losses_of, run_here, same_weights, start, write_config

EPOCHS = 4
ITERATIONS = 2 * EPOCHS


@pytest.fixture(scope='module')
def config(tmp_path_factory):
    """Four epochs, with dropout and augmentation."""
    return write_config(tmp_path_factory.mktemp('seeds'), **{'train_cfg.max_epochs': EPOCHS})


def train(config, work_dir, *arguments, **options):
    outcome = run_here('train', config, '--work-dir', work_dir, *arguments, **options)
    assert outcome.code == 0, outcome.err
    return losses_of(work_dir)


@pytest.fixture(scope='module')
def whole(config, tmp_path_factory):
    """The uninterrupted training: its work_dir and losses."""
    work_dir = tmp_path_factory.mktemp('whole')
    losses = train(config, work_dir)
    assert sorted(losses) == list(range(ITERATIONS))
    return work_dir, losses


def test_there_is_chance_to_control(config, whole):
    """Otherwise equal losses would prove nothing: dropout is on, and another seed gives other losses from the start."""
    cfg = Config.fromfile(config)
    assert any(isinstance(m, torch.nn.Dropout) and m.p > 0 for m in MODELS.build(cfg.model).modules())
    steps = [step.type for step in cfg.train_dataloader.dataset.pipeline]
    assert {'mmpretrain.RandomResizedCrop', 'RandomFlip', 'RandomRotate90', 'SampleCaptions'} <= set(steps)
    assert len({tuple(losses.items()) for losses in whole[1].values()}) == ITERATIONS


@pytest.mark.stack
@pytest.mark.parametrize(
    ('workers', 'persistent'), [(0, False), (2, False), (1, True)], ids=['no worker', 'workers', 'persistent worker']
)
def test_same_seed_same_run_for_any_number_of_workers(config, whole, tmp_path, workers, persistent):
    options = dict(train_dataloader__num_workers=workers, train_dataloader__persistent_workers=persistent)
    assert train(config, tmp_path, '--no-validate', **options) == whole[1]
    assert same_weights(tmp_path / f'epoch_{EPOCHS}.pth', whole[0] / f'epoch_{EPOCHS}.pth')


def test_another_seed_is_another_run(config, whole, tmp_path):
    losses = train(config, tmp_path, '--no-validate', randomness__seed=1, train_cfg__max_epochs=1)
    assert all(losses[i]['loss'] != whole[1][i]['loss'] for i in losses)


@pytest.mark.stack
def test_killed_and_resumed_equals_uninterrupted(config, whole, tmp_path):
    """SIGKILL right after the checkpoint of epoch 2 appeared, and in the middle of epoch 3."""
    persistent = dict(train_dataloader__num_workers=1, train_dataloader__persistent_workers=True)
    moments = dict(
        after_save=(dict(KILL_AFTER_EPOCH='1'), 4, {}), mid_epoch=(dict(KILL_BEFORE_ITER='5'), 5, persistent)
    )
    processes = {
        name: start(sys.executable, 'tools/train.py', config, '--work-dir', tmp_path / name, **env)
        for name, (env, _, _) in moments.items()
    }
    for name, process in processes.items():
        _, iterations, options = moments[name]
        work_dir = tmp_path / name
        killed = finish(process)
        assert killed.code == -signal.SIGKILL, killed.err
        assert (work_dir / 'last_checkpoint').read_text().endswith('epoch_2.pth')
        assert losses_of(work_dir) == {i: whole[1][i] for i in range(iterations)}
        (work_dir / 'losses_0.jsonl').unlink()
        assert train(config, work_dir, '--resume', **options) == {i: whole[1][i] for i in range(4, ITERATIONS)}
        assert same_weights(work_dir / f'epoch_{EPOCHS}.pth', whole[0] / f'epoch_{EPOCHS}.pth')


@pytest.fixture
def datasets(tmp_path):
    write_dataset(tmp_path, 'CaptionRetrievalDataset')

    def make():
        return CaptionRetrievalDataset(data_root=str(tmp_path), split='train')

    return make


def runner_of(dataset, *, epoch=3, iteration=7, loop=None):
    loader = SimpleNamespace(dataset=dataset)
    return SimpleNamespace(seed=5, epoch=epoch, iter=iteration, train_dataloader=loader, train_loop=loop)


def test_data_sets_inside_wrappers_are_seeded(datasets):
    a, b, c, d = datasets(), datasets(), datasets(), datasets()
    EpochSeedHook().before_train_epoch(runner_of(ConcatDataset([a, b])))
    EpochSeedHook().before_train_epoch(runner_of(RepeatDataset(c, times=2), epoch=4))
    EpochSeedHook().before_train_epoch(runner_of(d, epoch=5))
    assert [x._seed_and_epoch.tolist() for x in (a, b, c, d)] == [[5, 3], [5, 3], [5, 4], [5, 5]]


def test_a_data_set_of_another_package_is_left_alone():
    EpochSeedHook().before_train_epoch(runner_of(torch.utils.data.TensorDataset(torch.zeros(2))))


def test_a_loop_without_epochs_keeps_its_augmentation_random(datasets):
    """Its one 'epoch' lasts for the whole training: one seed for it would repeat the same crops."""
    dataset = datasets()
    EpochSeedHook().before_train_epoch(runner_of(dataset, loop=IterBasedTrainLoop.__new__(IterBasedTrainLoop)))
    assert dataset._seed_and_epoch.tolist() == [-1, -1]


def test_dropout_is_a_function_of_seed_iteration_and_rank(monkeypatch):
    hook = EpochSeedHook()

    def draw(iteration, rank):
        monkeypatch.setattr('osdpm_plugin.engine.epoch_seed_hook.get_rank', lambda: rank)
        torch.rand(np.random.randint(1, 9))  # whatever was drawn before
        hook.before_train_iter(runner_of(None, iteration=iteration), batch_idx=0)
        return torch.rand(4).tolist()

    draws = {(i, r): draw(i, r) for i in range(3) for r in range(2)}
    assert draws == {(i, r): draw(i, r) for i in range(3) for r in range(2)}
    assert len({tuple(d) for d in draws.values()}) == 6
