"""When a training without gains ends, and what it leaves behind, also over interruptions."""

from __future__ import annotations

import json
import math

import pytest
from mmengine.config import Config

from osdpm_plugin.engine import TrainingRecordHook
from osdpm_plugin.engine.training_record_hook import RECORD_FILE
from osdpm_plugin.errors import ConfigError
from osdpm_plugin.lab.experiments.training_spent import captions_in_step, passes, read_spent
from osdpm_plugin.registry import HOOKS
from tests.helpers.toy_runner import toy_runner

SCORES = (1.0, 3.0, 2.0, 3.0, 2.5, 3.5, 9.0)  # an equal score is no gain: the best is of epoch 2 up to epoch 5


def trained(folder, patience=3, scores=SCORES, stops=(), resume=False, epochs=7):
    custom = [dict(type='PatienceHook', epochs=patience, monitor='score'), *stops]
    runner = toy_runner(folder, epochs=epochs, scores=scores, custom=custom, resume=resume)
    runner.register_hook(TrainingRecordHook())
    if stops:
        with pytest.raises(KeyboardInterrupt):
            runner.train()
    else:
        runner.train()
    return runner


@pytest.mark.parametrize(('patience', 'ends'), [(1, 3), (2, 4), (3, 5), (4, 7)])
def test_by_hand(tmp_path, patience, ends):
    runner = trained(tmp_path, patience)
    assert runner.epoch == ends
    record = json.loads((tmp_path / RECORD_FILE).read_text())
    seconds = record.pop('seconds')
    assert record == dict(epochs=ends, steps=2 * ends, stopped=ends < 7) and 0 <= seconds < 60


@pytest.mark.parametrize('validation', [False, True])
@pytest.mark.parametrize('epoch', [1, 2, 3, 4])
def test_an_interruption_changes_nothing(tmp_path, epoch, validation):
    """Killed before an epoch, or after it and before its validation; the best score and the patience are kept."""
    trained(tmp_path, stops=[dict(type='StopAt', epoch=epoch, validation=validation)])
    assert not (tmp_path / RECORD_FILE).exists()
    done = epoch + 1 if validation else epoch
    kept = not validation and epoch in (1, 2)  # those of a best epoch, whose checkpoint is saved once more
    runner = trained(tmp_path, scores=SCORES[done if kept else done - 1 :], resume=True)
    assert runner.epoch == 5
    record = json.loads((tmp_path / RECORD_FILE).read_text())
    assert record['steps'] == 10 and record['stopped'] is True


def test_a_stopped_training_ends_at_once_when_it_is_resumed(tmp_path):
    assert trained(tmp_path).epoch == 5
    first = json.loads((tmp_path / RECORD_FILE).read_text())
    (tmp_path / RECORD_FILE).unlink()
    assert trained(tmp_path, scores=SCORES[4:], resume=True).epoch == 5
    assert json.loads((tmp_path / RECORD_FILE).read_text()) == first


def test_seconds_add_up(tmp_path, monkeypatch):
    """Each epoch takes 2 s of a clock that runs on in validations and between the runs."""
    now = [0.0]
    monkeypatch.setattr(
        'osdpm_plugin.engine.training_record_hook.time.monotonic', lambda: now.__setitem__(0, now[0] + 2) or now[0]
    )
    trained(tmp_path, stops=[dict(type='StopAt', epoch=3, validation=True)])
    now[0] += 1000
    trained(tmp_path, scores=SCORES[3:], resume=True)
    assert json.loads((tmp_path / RECORD_FILE).read_text())['seconds'] == 10


def test_nothing_is_recorded_of_a_training_whose_beginning_is_not_known(tmp_path):
    toy_runner(tmp_path, epochs=2).train()
    trained(tmp_path, resume=True)
    assert not (tmp_path / RECORD_FILE).exists()


def test_another_metric_is_not_read(tmp_path):
    runner = toy_runner(tmp_path, epochs=3, custom=[dict(type='PatienceHook', epochs=1)], scores=[3, 2, 1])
    runner.train()
    assert runner.epoch == 3
    with pytest.raises(ConfigError, match='epochs must be a whole number of at least 1, got 0'):
        HOOKS.build(dict(type='PatienceHook', epochs=0))


def config(*steps):
    return Config(dict(train_dataloader=dict(dataset=dict(pipeline=[dict(type='Load'), *steps]))))


def test_passes(tmp_path):
    """All five captions in a step: an epoch is a pass. One of them: five epochs are."""
    one, five, every = config(dict(type='SampleCaptions')), config(dict(type='SampleCaptions', num=5)), config()
    assert [captions_in_step(cfg) for cfg in (one, five, every)] == [1, 5, 5]
    assert passes(one, 350) == 70 and passes(five, 15) == 15 and math.isclose(passes(one, 6), 1.2)
    assert (
        captions_in_step(Config(dict(train_dataloader=dict(dataset=dict(dataset=one.train_dataloader.dataset))))) == 1
    )
    assert read_spent(tmp_path, one) is None
    (tmp_path / RECORD_FILE).write_text(json.dumps(dict(epochs=60, steps=960, seconds=510, stopped=True)))
    assert vars(read_spent(tmp_path, one)) == dict(passes=12, epochs=60, steps=960, minutes=8.5, stopped=True)
    (tmp_path / RECORD_FILE).write_text('[]')
    assert read_spent(tmp_path, one) is None
