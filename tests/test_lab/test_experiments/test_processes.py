"""Processes in order, errors in one sentence, nothing left behind."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time

import pytest

from osdpm_plugin.errors import ConfigError
from osdpm_plugin.lab.experiments import processes
from osdpm_plugin.lab.experiments.processes import Command, RunError, run_commands


def script(folder, text, name='work.py'):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    return Command([str(folder / name)], folder / 'work.log')


def test_order_logs_and_progress(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(processes, 'SILENCE', 0.3)
    first = script(tmp_path, 'print("2026 - INFO - Epoch(train) [1][2/3]    lr: 1"); import time; time.sleep(1.5)')
    second = script(tmp_path, 'import importlib.util as u; print(u.find_spec("osdpm_plugin") is not None)', 'other.py')

    def commands():
        yield first
        assert 'Epoch(train)' in first.log.read_text()  # ended before the next is made
        yield second

    run_commands([('job', commands())])
    assert first.log.read_text().splitlines()[-1] == 'True'
    out = capsys.readouterr().out
    assert 'Epoch(train) [1][2/3]  lr: 1' in out and '[job] work done in' in out and '[job] other done in' in out


def test_failure_is_one_sentence_and_begins_no_other(tmp_path):
    begun = []

    def commands(name, text):
        begun.append(name)
        yield script(tmp_path / name, text)
        begun.append(f'{name} went on')

    jobs = [('bad', commands('bad', 'raise SystemExit("error: no such file")')), ('next', commands('next', ''))]
    with pytest.raises(RunError, match='work of bad ended with exit code 1: "error: no such file"') as caught:
        run_commands(jobs)
    assert begun == ['bad'] and '\n' not in str(caught.value)


def test_gpus(monkeypatch, tmp_path):
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '5,7')
    text = 'import os, time; print(os.environ["CUDA_VISIBLE_DEVICES"]); time.sleep(0.5)'
    commands = [script(tmp_path / str(i), text) for i in range(3)]
    run_commands([(str(i), iter([command])) for i, command in enumerate(commands)], gpus=2)
    seen = [command.log.read_text().strip() for command in commands]
    assert set(seen) == {'5', '7'} and seen[0] != seen[1]
    with pytest.raises(ConfigError, match='--gpus 3 but 2 GPUs are visible'):
        run_commands([], gpus=3)
    with pytest.raises(ConfigError, match='--gpus must be a whole number of at least 1'):
        run_commands([], gpus=0)


def test_two_at_work_in_one_folder(tmp_path):
    slow = script(tmp_path, 'import time; time.sleep(2)')
    thread = threading.Thread(target=run_commands, args=([('one', iter([slow]))],))
    thread.start()
    time.sleep(0.7)
    with pytest.raises(RunError, match='two: another process is at work in'):
        run_commands([('two', iter([script(tmp_path, '', 'other.py')]))])
    thread.join()
    run_commands([('two', iter([script(tmp_path, '', 'other.py')]))])


def run_as_from_a_terminal(command):
    """With Python's own handler of Ctrl-C: a shell's background jobs, these tests among them, ignore the signal."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    run_commands([('job', iter([command]))])


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_what_runs(tmp_path, number):
    child = script(tmp_path, 'import os, time; print(os.getpid()); time.sleep(600)')
    process = multiprocessing.get_context('fork').Process(target=run_as_from_a_terminal, args=(child,))
    process.start()
    deadline = time.monotonic() + 60
    while not (child.log.is_file() and child.log.read_text().strip()) and time.monotonic() < deadline:
        time.sleep(0.1)
    pid = int(child.log.read_text())
    os.kill(process.pid, number)
    process.join(30)
    assert process.exitcode not in (0, None)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
