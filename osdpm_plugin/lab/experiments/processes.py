"""Commands -> processes, one after the other or one for each GPU, with log files and lines of progress."""

from __future__ import annotations

import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple, Optional

from ...errors import ConfigError, OSDPMError
from ...utils.checks import check_int

fcntl: Any
try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None

PROGRESS = re.compile(r'((?:Epoch|Iter)\(\w+\).*)')
SILENCE = 20.0  # seconds between two lines of progress of one job
POLL = 0.2


class RunError(OSDPMError):
    """A run failed; its log says why."""


class Command(NamedTuple):
    """A Python script to run.

    Attributes:
        arguments: script and its arguments.
        log: file for its output, appended to.
    """

    arguments: list[str]
    log: Path


def run_commands(jobs: Sequence[tuple[str, Iterator[Command]]], *, gpus: int = 1) -> None:
    """Run the commands of each job in order, ``gpus`` jobs at a time.

    After a failure no new job is started, and running jobs are finished. Ctrl-C and SIGTERM end running jobs.

    Args:
        jobs: pairs (name, commands); commands are made one by one when they are needed.
        gpus: number of jobs at a time. If it is more than 1, each job sees one GPU, of ``CUDA_VISIBLE_DEVICES`` or the
            first ones.

    Raises:
        ConfigError: ``gpus`` is out of range, or fewer GPUs are visible.
        RunError: a command failed; the sentence has the last line of its log.
    """
    devices = _devices(gpus)
    waiting: queue.SimpleQueue[tuple[str, Iterator[Command]]] = queue.SimpleQueue()
    for job in jobs:
        waiting.put(job)
    errors: list[BaseException] = []
    stop, failed = threading.Event(), threading.Event()

    def work(device: Optional[str], ended: threading.Event) -> None:
        try:
            while not stop.is_set() and not failed.is_set():
                name, commands = waiting.get_nowait()
                for command in commands:
                    _run(name, command, device, stop)
        except queue.Empty:
            pass
        except BaseException as error:  # raised below, in the main thread
            errors.append(error)
            failed.set()
        finally:
            ended.set()

    # events, because an interrupted Thread.join is taken for the end of the thread (Python 3.11)
    workers = [(device, threading.Event()) for device in devices]
    with _interrupt_on_sigterm():
        begun = []
        try:
            for device, ended in workers:
                threading.Thread(target=work, args=(device, ended)).start()
                begun.append(ended)
            while not all(ended.is_set() for ended in begun):
                time.sleep(POLL)
        finally:  # after Ctrl-C, end running jobs; the same command continues later
            stop.set()
            for ended in begun:
                ended.wait()
    if errors:
        raise errors[0]


def _run(name: str, command: Command, device: Optional[str], stop: threading.Event) -> None:
    """Run one command to its end, or end it when ``stop`` is set."""
    script = Path(command.arguments[0]).stem
    print(f'[{name}] {script}, log in {command.log}', flush=True)
    start = last = time.monotonic()
    command.log.parent.mkdir(parents=True, exist_ok=True)
    with _only_one(name, command.log.parent) as lock, open(command.log, 'ab') as log:
        offset = log.tell()
        process = subprocess.Popen(
            [sys.executable, '-u', *command.arguments],
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env=environment(device),
            pass_fds=lock,
        )
        shown = ''
        try:
            while process.poll() is None:
                if stop.wait(POLL):
                    raise RunError(f'{name} was ended; run the same command again to continue')
                if time.monotonic() - last >= SILENCE:
                    last = time.monotonic()
                    line = _progress(command.log, offset)
                    if line and line != shown:
                        shown = line
                        print(f'[{name}] {timedelta(seconds=round(last - start))} {line}', flush=True)
        finally:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
    if process.returncode != 0:
        raise RunError(
            f'{script} of {name} ended with exit code {process.returncode}: "{_last_line(command.log)}" '
            f'(log {command.log}); solve that and run the same command again to continue'
        )
    print(f'[{name}] {script} done in {timedelta(seconds=round(time.monotonic() - start))}', flush=True)


@contextmanager
def _only_one(name: str, folder: Path) -> Iterator[tuple[int, ...]]:
    """Lock a folder. The child process inherits the lock, so it holds even if the parent is killed."""
    if fcntl is None:
        yield ()
        return
    with open(folder / '.lock', 'ab') as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise RunError(f'{name}: another process is at work in {folder}; wait for it or end it') from error
        yield (file.fileno(),)


@contextmanager
def _interrupt_on_sigterm() -> Iterator[None]:
    """Treat SIGTERM like Ctrl-C, so that it ends running jobs too."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def environment(device: Optional[str] = None) -> dict[str, str]:
    """Environment variables of a run, with this package importable, and only the GPU ``device`` visible if given."""
    root = str(Path(__file__).resolve().parents[3])
    env = dict(os.environ)
    env['PYTHONPATH'] = os.pathsep.join([root, *filter(None, [env.get('PYTHONPATH')])])
    if device is not None:
        env['CUDA_VISIBLE_DEVICES'] = device
    return env


def _devices(gpus: int) -> list[Optional[str]]:
    if check_int('', '--gpus', gpus) == 1:
        return [None]
    visible = os.environ.get('CUDA_VISIBLE_DEVICES')
    if visible is None:
        import torch

        names = [str(i) for i in range(torch.cuda.device_count())]
    else:
        names = [name for name in visible.split(',') if name.strip()]
    if len(names) < gpus:
        raise ConfigError(f'--gpus {gpus} but {len(names)} GPUs are visible; use --gpus {max(len(names), 1)}')
    return list(names[:gpus])


def _tail(path: Path, start: int = 0, size: int = 1 << 14) -> list[str]:
    with open(path, 'rb') as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(max(start, end - size))
        return file.read().decode(errors='replace').splitlines()


def _progress(path: Path, start: int) -> str:
    found = [match[1] for line in _tail(path, start) if (match := PROGRESS.search(line))]
    return re.sub(r'\s{2,}', '  ', found[-1]) if found else ''


def _last_line(path: Path) -> str:
    lines = [line.strip() for line in _tail(path) if line.strip()]
    return lines[-1][-300:] if lines else 'no output'
