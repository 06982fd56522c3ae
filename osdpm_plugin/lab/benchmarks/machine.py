"""The machine in words, and its highest measured rates, from which lower bounds of times are computed."""

from __future__ import annotations

import dataclasses
import os
import time
from functools import partial
from typing import Any, Callable, Optional

import torch

from ..experiments.provenance import git_state, hardware, versions
from .timing import synchronize

MATRIX = dict(cpu=2048, cuda=8192)  # side of the matrices; 2 * 2048**3 is 17 GFLOP
CALLS = dict(cpu=1, cuda=20)  # between two readings of the clock, so that launching and waiting hardly count
BYTES = 256 * 2**20
REPEATS = 5


def describe(device: str) -> dict[str, Any]:
    """Hardware, threads, versions, commit, load, and the measured rates of ``device``."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()
    found: dict[str, Any] = dict(
        dataclasses.asdict(hardware()),
        usable_cores=usable,
        threads=torch.get_num_threads(),
        device=device,
        load_average=os.getloadavg()[0] if hasattr(os, 'getloadavg') else None,
        versions=versions(),
    )
    git = git_state()
    found['git'] = None if git is None else dataclasses.asdict(git)
    if device.startswith('cuda'):
        found['gpu_memory_bytes'] = torch.cuda.get_device_properties(device).total_memory
    found['rates'] = rates(device)
    return found


def rates(device: str, *, matrix: Optional[int] = None, size: int = BYTES) -> dict[str, float]:
    """Best of `REPEATS`: ``fp32_flops`` and ``bf16_flops`` of a square matrix product, FLOP/s, and ``memory_bytes``,
    bytes read and written a second by a copy of ``size`` bytes. `MATRIX` has the side of the matrices if none is given.
    """
    matrix = matrix or MATRIX[_kind(device)]
    result = {}
    for name, dtype in (('fp32_flops', torch.float32), ('bf16_flops', torch.bfloat16)):
        square = torch.randn(matrix, matrix, device=device).to(dtype)
        product = partial(torch.matmul, square, square, out=torch.empty_like(square))
        result[name] = 2 * matrix**3 / _best(product, device)
    source = torch.ones(size // 4, device=device)
    target = torch.empty_like(source)
    result['memory_bytes'] = 2 * size / _best(lambda: target.copy_(source), device)
    return result


def _kind(device: str) -> str:
    return 'cuda' if device.startswith('cuda') else 'cpu'


def _best(call: Callable[[], object], device: str) -> float:
    """Lowest seconds of a call, averaged over `CALLS` in a row, after one call to warm up."""
    call()
    calls = CALLS[_kind(device)]
    seconds = []
    for _ in range(REPEATS):
        synchronize(device)
        start = time.perf_counter()
        for _ in range(calls):
            call()
        synchronize(device)
        seconds.append((time.perf_counter() - start) / calls)
    return min(seconds)
