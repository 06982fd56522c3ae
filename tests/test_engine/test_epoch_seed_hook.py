"""A run is a function of its seed: workers, interruptions and restarts change no bit of it."""

from __future__ import annotations

import random
import signal
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import ConcatDataset, RepeatDataset
from mmengine.runner import IterBasedTrainLoop

from osdpm_plugin.datasets import CaptionRetrievalDataset, SeedByPosition
from osdpm_plugin.engine import EpochSeedHook, epoch_seed_hook
from osdpm_plugin.errors import ConfigError
from osdpm_plugin.registry import DATASETS, MODELS, TRANSFORMS
from tests.helpers.generated_data import write_dataset
from tests.helpers.short_runs import change_config, copy_and_run, losses_of, same_weights, train, write_config

EPOCHS = 4
ITERATIONS = 2 * EPOCHS


@pytest.fixture(scope='module')
def config(tmp_path_factory):
    """Four epochs, with dropout and augmentation."""
    return write_config(tmp_path_factory.mktemp('seeds'), **{'train_cfg.max_epochs': EPOCHS})


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
        name: copy_and_run('train', config, '--work-dir', tmp_path / name, **env)
        for name, (env, _, _) in moments.items()
    }
    for name, process in processes.items():
        _, iterations, options = moments[name]
        work_dir = tmp_path / name
        process.join(timeout=240)
        assert process.exitcode == -signal.SIGKILL
        assert (work_dir / 'last_checkpoint').read_text().endswith('epoch_2.pth')
        assert losses_of(work_dir) == {i: whole[1][i] for i in range(iterations)}
        (work_dir / 'losses_0.jsonl').unlink()
        assert train(config, work_dir, '--resume', **options) == {i: whole[1][i] for i in range(4, ITERATIONS)}
        assert same_weights(work_dir / f'epoch_{EPOCHS}.pth', whole[0] / f'epoch_{EPOCHS}.pth')


@pytest.fixture
def datasets(tmp_path):
    write_dataset(tmp_path, 'CaptionRetrievalDataset')
    return partial(CaptionRetrievalDataset, data_root=str(tmp_path), split='train')


def runner_of(dataset, *, epoch=3, iteration=7, loop=None):
    loader = SimpleNamespace(dataset=dataset)
    return SimpleNamespace(seed=5, epoch=epoch, iter=iteration, train_dataloader=loader, train_loop=loop)


def test_data_sets_inside_wrappers_are_seeded(datasets):
    a, b, c, d = (datasets() for _ in range(4))
    EpochSeedHook().before_train_epoch(runner_of(ConcatDataset([a, b])))
    EpochSeedHook().before_train_epoch(runner_of(RepeatDataset(c, times=2), epoch=4))
    EpochSeedHook().before_train_epoch(runner_of(d, epoch=5))
    assert [x._seed_and_epoch.tolist() for x in (a, b, c, d)] == [[5, 3], [5, 3], [5, 4], [5, 5]]


@TRANSFORMS.register_module(force=True)
class NoteDraw:
    """The item's id, and what the pipeline drew for it from both generators."""

    def __call__(self, results):
        return dict(drawn=torch.tensor([results['image_id'], np.random.randint(10**9), random.randint(0, 10**9)]))


def drawn(dataset, epoch, workers=0):
    """(items, 3): what each position drew."""
    dataset.seed_epoch(5, epoch)
    loader = torch.utils.data.DataLoader(dataset, batch_size=3, num_workers=workers)
    return torch.cat([batch['drawn'] for batch in loader])


@pytest.fixture
def plain(tmp_path):
    """Config of a data set of eight items."""
    write_dataset(tmp_path, 'CaptionRetrievalDataset')
    options = dict(split='train', indices=8, pipeline=[dict(type='NoteDraw')])
    return dict(type='CaptionRetrievalDataset', data_root=str(tmp_path), **options)


def test_repetitions_differ_by_their_position(plain):
    alone = drawn(DATASETS.build(plain), epoch=1)
    assert len({tuple(row[1:].tolist()) for row in alone}) == 8
    expected = np.random.SeedSequence((5, 1, 3)).generate_state(2)  # as it always was: no run of old changes
    np.random.seed(expected[0])
    assert alone[3, 1] == np.random.randint(10**9)

    twice = SeedByPosition(dataset=dict(type='RepeatDataset', times=2, dataset=plain))
    first, again = drawn(twice, epoch=1), drawn(twice, epoch=1, workers=2)
    assert torch.equal(first, again) and len(twice) == len(first) == 16
    assert torch.equal(first[:8, 0], first[8:, 0]) and torch.equal(first[:8, 0], alone[:, 0])
    assert len({tuple(row[1:].tolist()) for row in first}) == 16
    expected = np.random.SeedSequence((5, 1, 3, 11)).generate_state(2)
    np.random.seed(expected[0])
    assert first[11, 1] == np.random.randint(10**9)
    assert not (drawn(twice, epoch=2)[:, 1] == first[:, 1]).any()
    assert twice.get_data_info(11) == twice.dataset.dataset.get_data_info(3) and twice.metainfo == {}


def test_parts_of_a_concatenation_differ(plain):
    both = SeedByPosition(dataset=dict(type='ConcatDataset', datasets=[plain, plain]))
    draws = drawn(both, epoch=0)
    assert torch.equal(draws[:8, 0], draws[8:, 0]) and (draws[:8, 1:] != draws[8:, 1:]).all()


def test_seed_by_position_needs_something_to_seed():
    DATASETS.register_module(name='Numbers', module=lambda: [1, 2], force=True)
    with pytest.raises(ConfigError, match='SeedByPosition: list holds no data set that can be seeded; leave'):
        SeedByPosition(dataset=dict(type='Numbers'))


def test_repetitions_that_are_augmented_alike_are_warned_of(datasets, plain, monkeypatch):
    said = []
    monkeypatch.setattr(epoch_seed_hook, 'print_log', lambda text, **_: said.append(text))
    repeated = dict(type='RepeatDataset', times=2, dataset=plain)
    iterations = IterBasedTrainLoop.__new__(IterBasedTrainLoop)
    for dataset, loop in (
        (datasets(), None),
        (ConcatDataset([datasets(), datasets()]), None),
        (SeedByPosition(dataset=repeated), None),
        (torch.utils.data.TensorDataset(torch.zeros(2)), None),
        (DATASETS.build(repeated), iterations),  # seeds no data set
    ):
        EpochSeedHook().before_train(runner_of(dataset, loop=loop))
    assert said == []
    EpochSeedHook().before_train(runner_of(DATASETS.build(repeated)))
    assert len(said) == 1 and said[0].startswith('RepeatDataset shows images several times in an epoch with the same')


def test_a_training_on_repetitions(config, whole, tmp_path):
    """Two epochs on each image once are one epoch on each twice: as many iterations; the first two are of epoch 0."""

    def repeat(cfg):
        inner = dict(type='RepeatDataset', times=2, dataset=cfg.train_dataloader.dataset)
        cfg.train_dataloader.dataset = dict(type='SeedByPosition', dataset=inner)
        cfg.train_cfg.max_epochs = 1

    changed = change_config(config, repeat, tmp_path / 'config.py')
    losses = train(changed, tmp_path / 'run', '--no-validate')
    assert sorted(losses) == [0, 1, 2, 3] and len({step['loss'] for step in losses.values()}) == 4


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
