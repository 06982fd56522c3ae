"""The shipped default: trainings of one seed on one machine are equal to the last bit, for any number of workers."""

from __future__ import annotations

import pytest

from tests.helpers.short_runs import same_weights, train, write_config


@pytest.fixture(scope='module')
def first(tmp_path_factory):
    """The quick start, two epochs, with batch normalisation, dropout and augmentation: config, work_dir and losses."""
    folder = tmp_path_factory.mktemp('scenes')
    config = write_config(folder, 'configs/osdpm_scenes.py', **{'train_cfg.max_epochs': 2})
    return config, folder / 'run', train(config, folder / 'run')


@pytest.mark.stack
@pytest.mark.parametrize('workers', [0, 2])
def test_the_same_bits(first, tmp_path, workers):
    config, run, losses = first
    assert sorted(losses) == [0, 1, 2, 3]
    options = dict(train_dataloader__num_workers=workers, val_dataloader__num_workers=workers)
    assert train(config, tmp_path, train_dataloader__persistent_workers=workers > 0, **options) == losses  # hexadecimal
    assert same_weights(run / 'epoch_2.pth', tmp_path / 'epoch_2.pth')


def test_another_seed_has_other_bits(first, tmp_path):
    """Else the test above would prove nothing."""
    config, run, losses = first
    other = train(config, tmp_path, randomness__seed=1)
    assert all(losses[i]['loss'] != other[i]['loss'] for i in losses)
    assert not same_weights(run / 'epoch_2.pth', tmp_path / 'epoch_2.pth')
