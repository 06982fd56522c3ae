"""The resident memory of this process: its slope over time, and what a call adds to it."""

from __future__ import annotations

import ctypes
import os
import re
from pathlib import Path
from typing import Callable, NamedTuple, Optional, Sequence

import numpy as np
from scipy import stats

from ...errors import ConfigError, DataError
from ...utils.checks import check_number

MB = 2**20
LEAST_SAMPLES = 5
STATUS = Path('/proc/self/status')
RESET = Path('/proc/self/clear_refs')
HIGH_WATER, RESIDENT = 'VmHWM', 'VmRSS'


class Slope(NamedTuple):
    """A least-squares slope, the ends of its interval and their confidence (0 to 1), the number of fitted samples."""

    mb_per_hour: float
    low: float
    high: float
    level: float
    samples: int


def memory_slope(
    seconds: Sequence[float], megabytes: Sequence[float], *, warmup: float = 0.25, level: float = 0.95
) -> Slope:
    """Fit a line to the samples, in the order of their times, after the warm-up.

    The warm-up is the share of the time span in which allocators, caches and workers fill.

    Memory changes in plateaus, so neighbouring residuals are correlated and the textbook interval is too narrow. Its
    variance is multiplied by (1 + r) / (1 - r), where r is the lag-one autocorrelation of the residuals (0 if it is
    negative), and the degrees of freedom are reduced accordingly: the usual first-order correction, by which n samples
    count as n (1 - r) / (1 + r).

    Raises:
        DataError: fewer than five samples remain, or all have the same time.
        ConfigError: ``warmup`` or ``level`` is out of range.
    """
    check_number('', 'warmup', warmup, least=0, below=1)
    check_number('', 'level', level, above=0, below=1)
    hours, memory = np.asarray(seconds, np.float64) / 3600, np.asarray(megabytes, np.float64)
    kept = hours >= hours[0] + warmup * (hours[-1] - hours[0]) if len(hours) else np.zeros(0, bool)
    hours, memory = hours[kept], memory[kept]
    if len(hours) < LEAST_SAMPLES or np.ptp(hours) == 0:
        raise DataError(
            f'{len(hours)} samples of memory remain after the warm-up, and a slope needs at least {LEAST_SAMPLES} '
            'of different times; run for longer'
        )
    centred = hours - hours.mean()
    spread = float(centred @ centred)
    slope = float(centred @ memory) / spread
    residuals = memory - memory.mean() - slope * centred
    power = float(residuals @ residuals)
    tiny = np.finfo(np.float64).eps * max(1.0, float(np.abs(memory).max())) ** 2 * len(memory)
    r = 0.0 if power <= tiny else float(np.clip(residuals[1:] @ residuals[:-1] / power, 0.0, 0.99))
    freedom = max(1.0, len(hours) * (1 - r) / (1 + r) - 2)
    error = np.sqrt(power / (len(hours) - 2) / spread * (1 + r) / (1 - r))
    half = float(stats.t.ppf((1 + level) / 2, freedom) * error)
    return Slope(slope, slope - half, slope + half, level, len(hours))


def resident_memory() -> tuple[float, float]:
    """Resident MB of this process, and of its child processes together (shared pages count in each).

    Raises:
        ConfigError: the system has no /proc.
    """
    own = _resident(os.getpid())
    if own is None:
        raise ConfigError('resident memory is read from /proc, which this system does not have; run on Linux')
    return own, sum(_resident(pid) or 0.0 for pid in _descendants(os.getpid()))


def added_memory(call: Callable[[], object]) -> Optional[int]:
    """The peak of resident bytes during a call, minus the resident bytes before it.

    What was freed long ago shall not count: the allocator first gives its free pages back to the system, since the call
    would fill those pages without any growth, and Linux's peak value is reset to the current value.

    Returns:
        None if the system has no such value, or does not let a process reset it; the call is made in any case.
    """
    release = getattr(ctypes.CDLL(None), 'malloc_trim', None)
    if release is not None:  # glibc
        release(0)
    try:
        RESET.write_text('5')  # Linux: "reset the peak resident set size to the current value"
        before = _status_bytes(RESIDENT)
    except OSError:
        before = None
    call()
    return None if before is None else _status_bytes(HIGH_WATER) - before


def _status_bytes(name: str) -> int:
    """A value of ``/proc/self/status``; OSError if there is none."""
    found = re.search(rf'^{name}:\s+(\d+) kB$', STATUS.read_text(), re.MULTILINE)
    if found is None:
        raise OSError(f'{STATUS} has no {name}')
    return int(found[1]) * 1024


def _resident(pid: int) -> Optional[float]:
    """MB; None if the process has ended."""
    try:
        pages = int(Path('/proc', str(pid), 'statm').read_text().split()[1])
    except OSError:
        return None
    return pages * os.sysconf('SC_PAGE_SIZE') / MB


def _descendants(pid: int) -> list[int]:
    """Child processes and their children; those that end meanwhile are left out."""
    found: list[int] = []
    for listing in Path('/proc', str(pid), 'task').glob('*/children'):
        try:
            children = [int(child) for child in listing.read_text().split()]
        except OSError:
            continue
        for child in children:
            found += [child, *_descendants(child)]
    return found
