"""Run a function on several processes that form a gloo group.

def work(rank_offset):                      # a function of a module: child processes import it by name
    return mmengine.dist.get_rank() + rank_offset

assert run_distributed(work, 2, 10) == [10, 11]
"""

from __future__ import annotations

import os
import pickle
import time
import traceback
from collections.abc import Sequence
from datetime import timedelta
from multiprocessing import get_context, set_forkserver_preload
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from typing import Any, Callable

import torch
import torch.distributed as dist

GRACE_SECONDS = 5.0
PRELOAD = ('mmpretrain', 'tests.helpers.distributed', 'tests.helpers.short_runs', 'tests.helpers.archives')


def copies() -> BaseContext:
    """Processes that are copies of one that has imported what takes long, and has done nothing else."""
    set_forkserver_preload(list(PRELOAD))
    return get_context('forkserver')


class RemoteError(RuntimeError):
    """Cause of an error that a child process raised: its traceback as text."""


def run_distributed(fn: Callable[..., Any], world_size: int, *args: Any, timeout: float = 120.0) -> list[Any]:
    """Call ``fn(*args)`` on each of ``world_size`` fresh processes and return what they return, by rank.

    Each process runs on one thread in a gloo group, with this process's environment and that of ``torchrun`` (RANK,
    LOCAL_RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT), so that ``fn`` can also build a Runner with
    ``launcher='pytorch'``. The parent holds the rendezvous store and takes whatever port is free.

    Args:
        fn: a function at the top level of an importable module.
        world_size: number of processes.
        args: picklable arguments, the same for all.
        timeout: seconds for everything, the start of the processes included.

    Raises:
        Exception: the first that a rank raised, of its own type where it can be pickled; ranks that then wait for the
            failed one are ended after a few seconds.
        TimeoutError: ranks were still running; they are ended.
    """
    store = dist.TCPStore('127.0.0.1', 0, is_master=True, wait_for_workers=False)
    context = copies()
    readers, processes = [], []
    try:
        for rank in range(world_size):
            reader, writer = context.Pipe(duplex=False)
            process = context.Process(
                target=_child,
                args=(fn, args, rank, world_size, store.port, timeout, writer, dict(os.environ)),
                daemon=True,
            )
            process.start()
            writer.close()
            readers.append(reader)
            processes.append(process)
        return _collect(readers, timeout)
    finally:
        for process in processes:
            process.join(timeout=1.0)
            if process.is_alive():
                process.kill()
                process.join()
        for reader in readers:
            reader.close()


def _collect(readers: Sequence[Connection], timeout: float) -> list[Any]:
    deadline = time.monotonic() + timeout
    open_readers = dict(zip(readers, range(len(readers))))
    values: dict[int, Any] = {}
    error: BaseException | None = None
    while open_readers:
        ready = wait(list(open_readers), timeout=max(0.0, deadline - time.monotonic()))
        if not ready:
            break
        for reader in ready:
            rank = open_readers.pop(reader)
            try:
                succeeded, value, trace = pickle.loads(reader.recv_bytes())
            except EOFError:
                succeeded, value, trace = False, RuntimeError(f'rank {rank} died without a word'), ''
            if succeeded:
                values[rank] = value
            elif error is None:
                value.__cause__ = RemoteError(f'on rank {rank}:\n{trace}')
                error = value
                deadline = min(deadline, time.monotonic() + GRACE_SECONDS)
    if error is not None:
        raise error
    if open_readers:
        raise TimeoutError(f'ranks {sorted(open_readers.values())} of {len(readers)} still ran after {timeout:g} s')
    return [values[rank] for rank in range(len(readers))]


def _child(
    fn: Callable[..., Any],
    args: Sequence[Any],
    rank: int,
    world_size: int,
    port: int,
    timeout: float,
    writer: Connection,
    environ: dict[str, str],
) -> None:
    os.environ.clear()
    os.environ.update(environ)
    os.environ.update(
        RANK=str(rank),
        LOCAL_RANK=str(rank),
        WORLD_SIZE=str(world_size),
        MASTER_ADDR='127.0.0.1',
        MASTER_PORT=str(port),
        OMP_NUM_THREADS='1',
        TORCHELASTIC_USE_AGENT_STORE='True',
    )
    torch.set_num_threads(1)
    try:
        dist.init_process_group('gloo', init_method='env://', timeout=timedelta(seconds=timeout))
        message = pickle.dumps((True, fn(*args), ''))
    except BaseException as caught:  # noqa: B036 - whatever it is, the parent is to raise it
        trace = traceback.format_exc()
        try:
            message = pickle.dumps((False, caught, trace))
            pickle.loads(message)
        except Exception:
            message = pickle.dumps((False, RuntimeError(f'{type(caught).__name__}: {caught}'), trace))
    writer.send_bytes(message)
    writer.close()
    if dist.is_initialized():
        dist.destroy_process_group()
