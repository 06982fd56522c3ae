"""Functions -> seconds of each in turns, and the ratio of each pair, in which changes of the load cancel."""

from __future__ import annotations

import statistics
import time
from typing import Callable, NamedTuple, Sequence

import torch

from ...errors import ConfigError
from ...utils.checks import check_int


class MinMedianMax(NamedTuple):
    """Least, median and greatest of several values."""

    min: float
    median: float
    max: float


class Pairs(NamedTuple):
    """R pairs of seconds; ``theirs[i]`` was measured in the same round as ``ours[i]``."""

    ours: tuple[float, ...]
    theirs: tuple[float, ...]

    def time_ratio(self) -> MinMedianMax:
        """Our time as a multiple of theirs, pair by pair; lower is better."""
        return min_median_max([a / b for a, b in zip(self.ours, self.theirs)])

    def speed_ratio(self) -> MinMedianMax:
        """Our speed as a multiple of theirs, pair by pair; higher is better."""
        return min_median_max([b / a for a, b in zip(self.ours, self.theirs)])


def min_median_max(values: Sequence[float]) -> MinMedianMax:
    """Least, median and greatest value.

    Raises:
        ConfigError: there are none.
    """
    if not values:
        raise ConfigError('nothing was measured; set repeats to at least 1')
    return MinMedianMax(min(values), statistics.median(values), max(values))


def rounds(
    calls: Sequence[Callable[[], object]],
    *,
    repeats: int,
    warm_up: int = 1,
    device: str = 'cpu',
    clock: Callable[[], float] = time.perf_counter,
) -> list[tuple[float, ...]]:
    """Call all ``warm_up`` times unmeasured, then ``repeats`` times in turns: A B C A B C ...

    For ``cuda...`` the GPU is waited for before each reading of the clock, which gives seconds.

    Returns:
        for each call ``repeats`` seconds; equal positions belong to the same round.

    Raises:
        ConfigError: ``repeats`` is less than 1 or ``warm_up`` negative.
    """
    check_int('', 'repeats', repeats)
    check_int('', 'warm_up', warm_up, least=0)
    for _ in range(warm_up):
        for call in calls:
            call()
    seconds: list[list[float]] = [[] for _ in calls]
    for _ in range(repeats):
        for call, measured in zip(calls, seconds):
            synchronize(device)
            start = clock()
            call()
            synchronize(device)
            measured.append(clock() - start)
    return [tuple(measured) for measured in seconds]


def synchronize(device: str) -> None:
    """Wait until a GPU has finished all work; nothing on a CPU."""
    if device.startswith('cuda'):
        torch.cuda.synchronize(device)
