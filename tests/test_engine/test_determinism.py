"""The shipped default: trainings of one seed on one machine are equal to the last bit, for any number of workers."""

from __future__ import annotations

import pytest

from tests.helpers.short_runs import losses_of, run_here, same_weights, write_config


@pytest.fixture(scope='module')
def config(tmp_path_factory):
    """The quick start's, two epochs, with batch normalisation, dropout and augmentation."""
    return write_config(tmp_path_factory.mktemp('scenes'), 'configs/osdpm_scenes.py', **{'train_cfg.max_epochs': 2})


def train(config, run, **options):
    outcome = run_here('train', config, '--work-dir', run, **options)
    assert outcome.code == 0, outcome.err
    return losses_of(run)


@pytest.mark.stack
def test_the_same_bits(config, tmp_path):
    losses = train(config, tmp_path / 'a')
    assert sorted(losses) == [0, 1, 2, 3]
    for name, workers in (('b', 0), ('c', 2)):
        again = train(
            config,
            tmp_path / name,
            train_dataloader__num_workers=workers,
            train_dataloader__persistent_workers=workers > 0,
            val_dataloader__num_workers=workers,
        )
        assert again == losses  # in hexadecimal
        assert same_weights(tmp_path / 'a' / 'epoch_2.pth', tmp_path / name / 'epoch_2.pth')


def test_another_seed_has_other_bits(config, tmp_path):
    """Else the test above would prove nothing."""
    first, other = train(config, tmp_path / 'a'), train(config, tmp_path / 'b', randomness__seed=1)
    assert all(first[i]['loss'] != other[i]['loss'] for i in first)
    assert not same_weights(tmp_path / 'a' / 'epoch_2.pth', tmp_path / 'b' / 'epoch_2.pth')
