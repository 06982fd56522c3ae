"""A checkpoint of another model is one sentence; the model's own is loaded, however it was saved."""

from __future__ import annotations

import itertools
import os

import pytest
import torch
from mmengine.runner import Runner, find_latest_checkpoint

from osdpm_plugin.engine import CheckpointCompatibilityHook, load_from_local
from osdpm_plugin.errors import CheckpointError
from tests.helpers.toy_runner import Line, toy_runner

_names = itertools.count()


@pytest.fixture
def weights():
    torch.manual_seed(3)
    model = Line()
    return {key: torch.randn_like(v) if v.is_floating_point() else v for key, v in model.state_dict().items()}


def load(tmp_path, content, hook=None):
    """Load a checkpoint into a fresh `Line` through a Runner; returns the weights of the model."""
    path = tmp_path / 'checkpoint.pth'
    torch.save(content, path)
    runner = Runner(
        model=Line(),
        work_dir=str(tmp_path / 'run'),
        custom_hooks=[hook or CheckpointCompatibilityHook()],
        log_level='ERROR',
        experiment_name=f'compatibility-{os.getpid()}-{next(_names)}',
    )
    runner.load_checkpoint(str(path))
    return runner.model.state_dict()


def assert_equal(got, want):
    assert got.keys() == want.keys() and all(torch.equal(got[key], want[key]) for key in want)


@pytest.mark.stack
@pytest.mark.parametrize('prefix', ['', 'module.'])
@pytest.mark.parametrize('wrapped', [False, True])
def test_own_weights_are_loaded(tmp_path, weights, prefix, wrapped):
    saved = {prefix + key: value for key, value in weights.items()}
    assert_equal(load(tmp_path, dict(state_dict=saved) if wrapped else saved), weights)


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        (lambda w: w.pop('line.weight'), ['1 keys missing (first line.weight (1, 3))']),
        (lambda w: (w.pop('line.weight'), w.pop('line.bias')), ['2 keys missing (first line.weight (1, 3))']),
        (lambda w: w.update(extra=torch.zeros(1)), ['1 unknown keys (first extra (1,))']),
        (lambda w: w.update({'line.weight': torch.zeros(2, 3)}), ['1 shapes differ (first line.weight (2, 3) instead']),
        (
            lambda w: (w.pop('line.bias'), w.update({'a.b': torch.zeros(1), 'norm.weight': torch.zeros(4)})),
            ['1 keys missing (first line.bias', '1 unknown keys (first a.b', 'norm.weight (4,) instead of (3,)'],
        ),
        (lambda w: w.update({'line.weight': 0.5}), ['line.weight () instead of (1, 3)']),
        (lambda w: w.update({7: torch.zeros(1)}), ['1 unknown keys (first 7 (1,))']),
        (lambda w: w.clear(), ['7 keys missing (first norm.weight (3,))']),
    ],
    ids=['missing', 'two missing', 'unknown', 'reshaped', 'all kinds', 'a number', 'no name', 'empty'],
)
def test_foreign_weights_are_one_sentence(tmp_path, weights, change, words):
    change(weights)
    with pytest.raises(CheckpointError) as caught:
        load(tmp_path, weights)
    message = str(caught.value)
    assert all(word in message for word in words) and '\n' not in message
    assert 'use the config that it was trained with' in message and 'allow_missing' in message


@pytest.mark.parametrize('content', [torch.zeros(3), [1, 2], dict(state_dict=[1])])
def test_no_weights_at_all(tmp_path, content):
    with pytest.raises(CheckpointError, match='holds no weights by name'):
        load(tmp_path, content)


def test_new_parts_may_be_missing_where_the_config_says_so(tmp_path, weights):
    del weights['line.weight'], weights['line.bias']
    loaded = load(tmp_path, weights, CheckpointCompatibilityHook(allow_missing=('line.',)))
    assert torch.equal(loaded['norm.weight'], weights['norm.weight'])
    weights['norm.weight'] = torch.zeros(5)
    with pytest.raises(CheckpointError, match=r'norm.weight \(5,\) instead of \(3,\)'):
        load(tmp_path, weights, CheckpointCompatibilityHook(allow_missing=('line.',)))


@pytest.mark.stack
def test_ema_resumes_and_loads(tmp_path):
    """With EMAHook a checkpoint's state_dict holds the averaged weights, and those are loaded for a test."""
    hook = dict(type='CheckpointCompatibilityHook')
    toy_runner(tmp_path, epochs=2, custom=[hook]).train()
    resumed = toy_runner(tmp_path, epochs=4, custom=[hook], resume=True)
    resumed.train()
    assert resumed.epoch == 4
    saved = load_from_local(find_latest_checkpoint(str(tmp_path)))
    assert not torch.equal(saved['state_dict']['line.weight'], saved['ema_state_dict']['module.line.weight'])
    loaded = load(tmp_path, saved)
    assert_equal(loaded, saved['state_dict'])


def test_weights_alone_cannot_be_resumed(tmp_path, weights):
    path = tmp_path / 'weights.pth'
    torch.save(dict(state_dict=weights), path)
    hook = dict(type='CheckpointCompatibilityHook')
    runner = toy_runner(tmp_path, epochs=1, custom=[hook], resume=True, load_from=str(path))
    with pytest.raises(CheckpointError, match='cannot be resumed; start from these weights with load_from'):
        runner.train()
