"""What the machine does to a run ends it with one sentence, and soon: workers, processes, disks and folders that go."""

from __future__ import annotations

import errno
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from osdpm_plugin.launch.faults import explain_fault
from tests.helpers.short_runs import (
    assert_one_sentence,
    change_config,
    finish,
    free_port,
    losses_of,
    run_here,
    same_weights,
    start,
    train,
    write_config,
)

EPOCHS = 3


@HOOKS.register_module(force=True)
class Harm(Hook):
    """Do something terrible at the start of epoch 1, counted from 0."""

    priority = 'VERY_LOW'

    def __init__(self, what: str) -> None:
        self.what = what

    def before_train_epoch(self, runner) -> None:
        if runner.epoch == 1 and self.what.startswith('/'):
            os.rename(self.what, f'{self.what}.away')

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        if runner.epoch == 1 and batch_idx == 0 and self.what == 'kill a worker':
            task = Path('/proc', str(os.getpid()), 'task')
            children = [pid for listing in task.glob('*/children') for pid in listing.read_text().split()]
            ours = Path('/proc/self/cmdline').read_bytes()  # not a server of multiprocessing
            workers = [pid for pid in children if Path(f'/proc/{pid}/cmdline').read_bytes() == ours]
            os.kill(int(workers[0]), signal.SIGKILL)
            time.sleep(0.5)


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    """A config and its uninterrupted training of three epochs."""
    folder = tmp_path_factory.mktemp('whole')
    config = write_config(folder, **{'train_cfg.max_epochs': EPOCHS})
    assert run_here('train', config, '--work-dir', folder / 'run').code == 0
    return Path(config), folder / 'run'


def harmed_run(whole, tmp_path, what, **options):
    hooks = [dict(type='UnreadableImageHook'), dict(type='Harm', what=str(what))]
    config = change_config(whole[0], lambda cfg: cfg.custom_hooks.extend(hooks), tmp_path / 'harmed.py')
    return run_here('train', config, '--work-dir', tmp_path / 'run', **options)


def assert_goes_on(whole, run):
    assert train(whole[0], run, '--resume') == losses_of(whole[1])
    assert same_weights(run / f'epoch_{EPOCHS}.pth', whole[1] / f'epoch_{EPOCHS}.pth')


@pytest.mark.skipif(not Path('/proc/self/task').is_dir(), reason='finds workers in /proc')
def test_a_killed_worker(whole, tmp_path):
    options = dict(train_dataloader__num_workers=2, train_dataloader__batch_size=1)
    outcome = harmed_run(whole, tmp_path, 'kill a worker', **options)
    assert_one_sentence(outcome, 'data-loader worker', 'num_workers', '--resume')
    assert (tmp_path / 'run' / 'last_checkpoint').read_text().endswith('epoch_1.pth')


def test_data_root_vanishes(whole, tmp_path):
    data = whole[0].parent / 'data'
    try:
        outcome = harmed_run(whole, tmp_path, data)
    finally:
        Path(f'{data}.away').rename(data)
    assert_one_sentence(outcome, 'image ', str(data), 'No such file', '--resume')
    assert_goes_on(whole, tmp_path / 'run')


def test_work_dir_vanishes(whole, tmp_path):
    """Nothing is trained into the void; with the folder back it goes on."""
    run = tmp_path / 'run'
    outcome = harmed_run(whole, tmp_path, run)
    assert_one_sentence(outcome, str(run), 'No such file', 'bring the', '--resume')
    shutil.rmtree(run, ignore_errors=True)
    Path(f'{run}.away').rename(run)
    assert_goes_on(whole, run)


# ---- processes that go


def two_ranks(config, folder, *options):
    """Two processes without an agent that would end one for the other; both have begun to train."""
    port = free_port()
    ranks = [
        start(
            sys.executable, 'tools/train.py', config, '--work-dir', folder / 'run', '--launcher', 'pytorch',
            '--cfg-options', 'train_cfg.max_epochs=1000', *options,
            RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE='2', MASTER_ADDR='127.0.0.1', MASTER_PORT=port,
        )
        for rank in range(2)
    ]  # fmt: skip
    while not all((folder / 'run' / f'losses_{rank}.jsonl').is_file() for rank in range(2)):
        assert all(rank.poll() is None for rank in ranks), [finish(rank) for rank in ranks]
        time.sleep(0.05)
    return ranks


@pytest.mark.skipif(torch.cuda.is_available(), reason='written for gloo')
@pytest.mark.parametrize(
    ('sent', 'options', 'limit'),
    [
        (signal.SIGKILL, (), 60),
        pytest.param(signal.SIGSTOP, ('env_cfg.dist_cfg.timeout=10',), 60, marks=pytest.mark.slow),
    ],
    ids=['dies', 'hangs'],
)
def test_one_rank_goes_and_the_other_ends(tmp_path, sent, options, limit):
    config = write_config(tmp_path, **{'train_dataloader.batch_size': 2, 'train_cfg.val_interval': 1000})
    change_config(config, lambda cfg: cfg.default_hooks.checkpoint.update(save_best=None, interval=1000))
    first, second = two_ranks(config, tmp_path, *options)
    try:
        second.send_signal(sent)
        began = time.monotonic()
        outcome = finish(first, timeout=limit)
        assert time.monotonic() - began < limit
    except subprocess.TimeoutExpired:
        pytest.fail(f'rank 0 still ran {limit} s after rank 1 had gone')
    finally:
        second.kill()
        second.wait()
    sentences = [line for line in outcome.err.splitlines() if line.startswith('error: ')]
    assert outcome.code == 2 and len(sentences) == 1, outcome.err
    assert 'rank 0: another process of this run ended or does not answer' in sentences[0]
    assert 'Traceback' not in outcome.err


# ---- sentences


@pytest.mark.parametrize(
    ('error', 'words'),
    [
        (OSError(errno.ENOSPC, 'No space left on device'), 'a file cannot be used: No space left.*free disk space'),
        (OSError(errno.EROFS, 'Read-only file system', '/a/b'), '/a/b cannot be used: Read-only.*writable'),
        (FileNotFoundError(errno.ENOENT, 'No such file or directory', '/a'), '/a cannot be used.*bring the'),
        (
            RuntimeError('DataLoader worker (pid 7) is killed by signal: Bus error. It is possible that ...'),
            'a data-loader worker is killed by signal: Bus error, most often',
        ),
        (RuntimeError('DataLoader worker (pid(s) 7, 8) exited unexpectedly'), 'worker exited unexpectedly'),
    ],
)
def test_sentences(error, words):
    explained = explain_fault(error)
    assert re.search(words, str(explained)) and '\n' not in str(explained)


@pytest.mark.parametrize('error', [RuntimeError('shape'), OSError('odd'), ValueError('x'), RuntimeError('timed out')])
def test_other_errors_keep_their_traceback(error):
    """A time-out outside of a process group, too."""
    assert explain_fault(error) is None
