"""Trainings of a few iterations with the command-line tools: in this process, or in one that may be killed."""

from __future__ import annotations

import contextlib
import gc
import importlib.util
import io
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.logging import MMLogger
from mmengine.registry import HOOKS

from osdpm_plugin.engine import load_from_local
from osdpm_plugin.launch import run_tool
from tests.helpers.distributed import copies
from tests.helpers.generated_data import write_dataset
from tests.helpers.paths import ROOT
from tests.helpers.shrunk_configs import shrink
from tests.helpers.tools import run_tool_here

DEFAULT = 'configs/osdpm_rsicd.py'  # eight training images in batches of four: two iterations an epoch
_numbers = itertools.count()
BASH_ON_A_CPU = pytest.mark.skipif(
    shutil.which('bash') is None or torch.cuda.is_available(),
    reason='needs bash, and on a GPU each process would ask for one of its own',
)


@HOOKS.register_module(force=True)
class RecordLosses(Hook):
    """Append every loss, to the last bit, to ``losses.jsonl`` in work_dir."""

    priority = 'VERY_LOW'

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        losses = {name: value.item().hex() for name, value in outputs.items()}
        with open(Path(runner.work_dir, f'losses_{runner.rank}.jsonl'), 'a') as file:
            file.write(json.dumps([runner.iter, losses]) + '\n')


@HOOKS.register_module(force=True)
class KillMe(Hook):
    """SIGKILL before the iteration ``KILL_BEFORE_ITER`` or after the epoch ``KILL_AFTER_EPOCH`` of the environment,
    both counted from 0. Before anything else, touch ``MARK_FILE`` for a parent process that is to kill.
    """

    priority = 'VERY_LOW'

    def before_run(self, runner):
        if 'MARK_FILE' in os.environ:
            Path(os.environ['MARK_FILE']).touch()

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if os.environ.get('KILL_BEFORE_ITER') == str(runner.iter):
            os.kill(os.getpid(), signal.SIGKILL)

    def after_train_epoch(self, runner):
        if os.environ.get('KILL_AFTER_EPOCH') == str(runner.epoch):
            os.kill(os.getpid(), signal.SIGKILL)


class Outcome(NamedTuple):
    """How a tool ended: exit code, standard output with the log of mmengine, standard error."""

    code: int
    out: str
    err: str


def write_config(folder: Path, config: str = DEFAULT, *, sizes: dict | None = None, **changes: Any) -> str:
    """A shrunk config with its data on disk and the hooks of this module; ``changes`` as in ``--cfg-options``.

    Args:
        folder: for the config and the data.
        config: a shipped config.
        sizes: images of each split of an RSICD layout, see `write_dataset`.
        changes: merged into the config.
    """
    folder.mkdir(parents=True, exist_ok=True)
    cfg = shrink(config, folder)
    if sizes:
        write_dataset(folder / 'data', 'RSICD', **sizes)
    cfg.custom_imports.imports.append('tests.helpers.short_runs')
    cfg.custom_hooks = [*cfg.custom_hooks, dict(type='RecordLosses'), dict(type='KillMe')]
    cfg.merge_from_dict(changes)
    path = folder / 'config.py'
    cfg.dump(str(path))
    return str(path)


def load_tool(name: str) -> Any:
    """tools/<name>.py as a module."""
    spec = importlib.util.spec_from_file_location(f'tool_{name}', ROOT / 'tools' / f'{name}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run_here(name: str, *arguments: str, **options: Any) -> Outcome:
    """Run a tool in this process, which spares seconds of imports; an exception that it does not catch has code 1.

    Args:
        name: 'train' or 'test'.
        arguments: of the command line.
        options: of ``--cfg-options``, ``__`` stands for a dot.
    """
    MMLogger._instance_dict.clear()  # what is logged before a run has its log goes to the last one's otherwise
    options.setdefault('experiment_name', f'run_{os.getpid()}_{next(_numbers)}')
    pairs = [f'{key.replace("__", ".")}={value}' for key, value in options.items()]
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.object(sys, 'argv', [f'tools/{name}.py', *map(str, arguments), '--cfg-options', *pairs]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            run_tool(load_tool(name).main)
        except SystemExit as end:
            code = end.code or 0
        except Exception:
            code = 1
            traceback.print_exc()
        gc.collect()
    return Outcome(code, out.getvalue(), err.getvalue())


def exit_code_of(name: str, arguments: Sequence[Any]) -> int:
    """Run a tool in this process as from a shell, and let it print -> its exit code."""
    return run_tool_here(f'{name}.py', *arguments)


def assert_one_sentence(outcome: Outcome, *words: str) -> None:
    """The tool ended with code 2 and one sentence, its last line on standard error, that holds the words."""
    sentences = [line for line in outcome.err.splitlines() if 'error: ' in line]
    assert outcome.code == 2 and sentences == outcome.err.splitlines()[-1:], outcome.err
    assert 'Traceback' not in outcome.err + outcome.out
    assert all(word in sentences[0] for word in words), sentences[0]


def train(config: str, work_dir: Path, *arguments: str, **options: Any) -> dict[int, dict[str, str]]:
    """A training with `run_here` that must end well -> its losses, see `losses_of`."""
    outcome = run_here('train', config, '--work-dir', work_dir, *arguments, **options)
    assert outcome.code == 0, outcome.err
    return losses_of(work_dir)


def copy_and_run(name: str, *arguments: str, **env: str) -> BaseProcess:
    """As `run_here` in a process of its own that may be killed; join it and look at its ``exitcode``."""
    arguments = tuple(map(str, arguments))
    process = copies().Process(target=_run_and_exit, args=(name, arguments, {**os.environ, **env}))
    process.start()
    return process


def _run_and_exit(name: str, arguments: tuple[str, ...], environ: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environ)
    torch.set_num_threads(1)
    outcome = run_here(name, *arguments)
    print(outcome.err, file=sys.stderr)
    sys.exit(outcome.code)


def start(*command: str, **env: str) -> subprocess.Popen:
    """Start a tool as users do."""
    settings = dict(PYTHONPATH=str(ROOT), PYTHON=sys.executable, OMP_NUM_THREADS='1', **env)
    return subprocess.Popen(
        [str(part) for part in command],
        cwd=ROOT,
        env={**os.environ, **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def free_port() -> str:
    """A port on which nobody listens."""
    with socket.socket() as listener:
        listener.bind(('127.0.0.1', 0))
        return str(listener.getsockname()[1])


def finish(process: subprocess.Popen, timeout: float = 240) -> Outcome:
    """Wait for `start`."""
    try:
        out, err = process.communicate(timeout=timeout)
    finally:
        process.kill()
    return Outcome(process.returncode, out, err)


def losses_of(work_dir: Path, rank: int = 0) -> dict[int, dict[str, str]]:
    """Iteration -> losses in hexadecimal; a repeated iteration counts as it was done last."""
    lines = Path(work_dir, f'losses_{rank}.jsonl').read_text().splitlines()
    return dict(json.loads(line) for line in lines)


def numbers_of(work_dir: Path, rank: int = 0) -> dict[int, dict[str, float]]:
    """`losses_of` in numbers."""
    losses = losses_of(work_dir, rank).items()
    return {i: {name: float.fromhex(value) for name, value in step.items()} for i, step in losses}


def weights_of(checkpoint: Path) -> dict[str, torch.Tensor]:
    """The weights in a checkpoint."""
    return load_from_local(str(checkpoint))['state_dict']


def same_weights(a: Path, b: Path) -> bool:
    """Whether two checkpoints hold equal bits."""
    first, second = weights_of(a), weights_of(b)
    return first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)


def change_config(path: str, change: Any, to: Path | None = None) -> str:
    """Read a config, apply ``change(cfg)``, write it again, or to another file -> where."""
    cfg = Config.fromfile(path)
    change(cfg)
    object.__setattr__(cfg, '_format_python_code', False)
    cfg.dump(to or path)
    return str(to or path)
