"""SIGKILL at random moments of training, caching and writing results: nothing that is left loads wrongly, nothing but
the work since the last checkpoint is lost, and the end is that of an uninterrupted run.
"""

from __future__ import annotations

import os
import random
import signal
import time

import numpy as np
import pytest
import torch

from osdpm_plugin.engine import load_from_local
from osdpm_plugin.features.store import FeatureStore
from osdpm_plugin.lab.experiments.queries import read_queries
from osdpm_plugin.lab.experiments.schema import read_result
from osdpm_plugin.registry import MODELS
from tests.helpers.generated_data import write_dataset
from tests.helpers.short_runs import losses_of, run_here, same_weights, write_config
from tests.helpers.shrunk_configs import shrink

EPOCHS, STEPS = 10, 2  # of a training, and iterations of an epoch
TIMES = pytest.mark.parametrize(('times', 'seed'), [(2, 1), pytest.param(25, 0, marks=pytest.mark.slow)])


def run_until(began, delay, *command, log, mark=None):
    """Run a tool in a forked process, which spares the imports, and SIGKILL it ``delay`` seconds after ``began()``;
    whether it was still running.
    """
    pid = os.fork()
    if pid == 0:  # whatever happens, this process must not go on as the test
        code = 99
        try:
            if mark is not None:
                os.environ['MARK_FILE'] = str(mark)
            outcome = run_here(*command)
            log.write_text(outcome.err)
            code = outcome.code
        finally:
            os._exit(code)
    ended = 0
    deadline = None
    while not ended and (deadline is None or time.monotonic() < deadline):
        time.sleep(0.002)
        ended, status = os.waitpid(pid, os.WNOHANG)
        if deadline is None and began():
            deadline = time.monotonic() + delay
    if not ended:
        os.kill(pid, signal.SIGKILL)
        ended, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, -signal.SIGKILL), log.read_text()
    return code != 0


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    """A config and its uninterrupted training."""
    folder = tmp_path_factory.mktemp('whole')
    config = write_config(folder, **{'train_cfg.max_epochs': EPOCHS})
    started = time.monotonic()
    outcome = run_here('train', config, '--work-dir', folder / 'run')
    assert outcome.code == 0, outcome.err
    return config, folder / 'run', time.monotonic() - started


def checkpoints_load(run):
    """All checkpoints are whole; returns the iterations that the newest has done, 0 where there is none."""
    for path in run.glob('*.pth'):
        assert all(torch.isfinite(v).all() for v in load_from_local(str(path))['state_dict'].values()), path
    pointer = run / 'last_checkpoint'
    return load_from_local(pointer.read_text())['meta']['iter'] if pointer.is_file() else 0


@TIMES
def test_killed_training(whole, tmp_path, times, seed):
    """Kill trainings until it has been ``times``; each one that reaches its end is compared with the whole one."""
    config, reference, duration = whole
    rng, kills, trainings = random.Random(seed), 0, 0
    while kills < times:
        run = tmp_path / f'run_{trainings}'
        trainings += 1
        alive = True
        while alive:
            target = count_steps(run) + rng.randint(0, 3 * STEPS)
            # once all kills are made, it may end
            delay = rng.uniform(0, 0.5 * duration / EPOCHS) if kills < times else 600
            alive = run_until(
                lambda run=run, target=target: count_steps(run) >= target,
                delay,
                *('train', config, '--work-dir', run, '--resume'),
                log=tmp_path / 'log',
            )
            kills += alive
            done = checkpoints_load(run)
            losses = losses_of(run) if (run / 'losses_0.jsonl').is_file() else {}
            assert len(losses) - done <= STEPS, 'more than the work of an epoch is lost'
        assert losses == losses_of(reference)
        assert same_weights(run / f'epoch_{EPOCHS}.pth', reference / f'epoch_{EPOCHS}.pth')
        best = max(run.glob('best_*.pth'), key=lambda path: path.stat().st_mtime)
        (expected,) = reference.glob('best_*.pth')
        assert best.name == expected.name and same_weights(best, expected)


def count_steps(run):
    """Iterations that all trainings of a folder have made together."""
    path = run / 'losses_0.jsonl'
    return path.read_bytes().count(b'\n') if path.is_file() else 0


@TIMES
def test_killed_caching(tmp_path, times, seed):
    """Kill the caching of frozen towers ``times``, as often from the beginning as it comes to its end."""
    cfg = shrink('configs/osdpm_ucm.py', tmp_path)
    write_dataset(tmp_path / 'data', 'UCMCaptions', val=60, test=60)
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    torch.save({'state_dict': model.state_dict()}, tmp_path / 'towers.pth')
    cfg.model.image_tower.pretrained = cfg.model.text_tower.pretrained = str(tmp_path / 'towers.pth')
    cfg.dump(tmp_path / 'config.py')
    command = ('cache_features', tmp_path / 'config.py', '--batch-size', '1', '--out')
    assert run_here(*command, tmp_path / 'whole').code == 0
    rng, kills, caches = random.Random(seed), 0, 0
    while kills < times:
        out = tmp_path / f'cache_{caches}'
        caches += 1
        alive = True
        while alive:
            written = newest(out)
            delay = rng.uniform(0, 0.3) if kills < times else 600
            alive = run_until(
                lambda out=out, written=written: newest(out) > written, delay, *command, out, log=tmp_path / 'log'
            )
            kills += alive
        for split in ('train', 'val', 'test'):
            a, b = FeatureStore(str(tmp_path / 'whole'), split), FeatureStore(str(out), split)
            for ours, theirs in zip((b.maps[0], b.pooled, b.text, b.words), (a.maps[0], a.pooled, a.text, a.words)):
                np.testing.assert_array_equal(ours, theirs)


def newest(folder):
    """When a JSON file below a folder was written last, ns; 0 where there is none."""
    times = []
    for path in folder.rglob('*.json'):
        try:
            times.append(path.stat().st_mtime_ns)
        except FileNotFoundError:
            continue
    return max(times, default=0)


@TIMES
def test_killed_evaluation(whole, tmp_path, times, seed):
    """Kill evaluations ``times``: the result file is whole or absent, and never of before."""
    config, reference, _ = whole
    checkpoint, run, mark = reference / f'epoch_{EPOCHS}.pth', tmp_path / 'run', tmp_path / 'mark'
    command = ('test', config, checkpoint, '--work-dir', run, '--out', run / 'scores.npz')
    began = time.monotonic()
    assert run_here(*command).code == 0
    duration, expected = time.monotonic() - began, read_result(run / 'test_results.json')
    rng, kills = random.Random(seed), 0
    while kills < times:
        mark.unlink(missing_ok=True)
        if run_until(mark.exists, rng.uniform(0, duration), *command, log=tmp_path / 'log', mark=mark):
            kills += 1
        if (run / 'test_results.json').is_file():
            assert read_result(run / 'test_results.json').metrics == expected.metrics
            read_queries(run / 'test_queries.npz')
        if (run / 'scores.npz').is_file():
            with np.load(run / 'scores.npz') as arrays:
                assert arrays['scores'].shape == (6, 30)
    mark.unlink(missing_ok=True)
    assert run_here(*command).code == 0
    assert read_result(run / 'test_results.json').metrics == expected.metrics
