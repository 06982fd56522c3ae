"""A config -> training and evaluation in turn for a given time -> memory over time."""

from __future__ import annotations

import json
import time
from typing import Any, Optional

from mmengine.config import Config
from mmengine.hooks import Hook

from ...errors import DataError
from ...launch import build_runner
from ...registry import HOOKS
from ...utils.checks import check_number
from ...utils.files import write_text
from .memory import Slope, memory_slope, resident_memory

ENDLESS = 1_000_000  # epochs: time ends the run


@HOOKS.register_module()
class SoakHook(Hook):
    """Record memory after each training epoch and each evaluation; end the training when the time is over.

    The file holds ``samples``, a list of ``[seconds, MB of the process, MB of its workers, epoch, 'train' or 'val']``,
    and from the fifth on ``process_slope`` and ``workers_slope``, see `memory_slope`. It is complete after each sample.

    Args:
        out: JSON file.
        seconds: how long to run; the last cycle is finished.
        warmup: see `memory_slope`.

    Raises:
        ConfigError: an argument is out of range, or ``out`` cannot be written.
    """

    priority = 'LOWEST'

    def __init__(self, *, out: str, seconds: float, warmup: float = 0.25) -> None:
        self.out = out
        self.seconds = check_number('SoakHook', 'seconds', seconds, above=0)
        self.warmup = warmup
        self.samples: list[tuple[float, float, float, int, str]] = []
        self._start = 0.0

    def before_train(self, runner: Any) -> None:
        """Start the clock."""
        self._start = time.monotonic()

    def after_train_epoch(self, runner: Any) -> None:
        """Record a sample; a run without validation ends here."""
        self._sample(runner.epoch + 1, 'train')
        if runner.val_loop is None:
            self._end(runner)

    def after_val_epoch(self, runner: Any, metrics: Optional[dict] = None) -> None:
        """Record a sample, and end if the time is over."""
        self._sample(runner.epoch, 'val')
        self._end(runner)

    def slopes(self) -> dict[str, Optional[Slope]]:
        """The slopes of the process and of its workers, from the samples after evaluations (without any, after epochs);
        None as long as there are too few samples.
        """
        kinds = {sample[4] for sample in self.samples}
        chosen = [sample for sample in self.samples if sample[4] == ('val' if 'val' in kinds else 'train')]
        times = [sample[0] for sample in chosen]
        slopes: dict[str, Optional[Slope]] = {}
        for column, name in ((1, 'process_slope'), (2, 'workers_slope')):
            try:
                slopes[name] = memory_slope(times, [float(sample[column]) for sample in chosen], warmup=self.warmup)
            except DataError:
                slopes[name] = None
        return slopes

    def _end(self, runner: Any) -> None:
        if time.monotonic() - self._start >= self.seconds:
            runner.train_loop.stop_training = True

    def _sample(self, epoch: int, kind: str) -> None:
        seconds, (process, workers) = time.monotonic() - self._start, resident_memory()
        self.samples.append((round(seconds, 3), round(process, 3), round(workers, 3), epoch, kind))
        slopes = {name: slope and slope._asdict() for name, slope in self.slopes().items()}
        content = dict(seconds=self.seconds, warmup=self.warmup, **slopes, samples=self.samples)
        write_text(self.out, json.dumps(content, indent=1), '--out')


def soak(cfg: Config, *, out: str, seconds: float) -> SoakHook:
    """Train and evaluate a config for a given time; its number of epochs is ignored, its validation interval is not.

    Returns:
        The hook, with its samples; see `SoakHook`.
    """
    cfg = cfg.copy()
    cfg.train_cfg = dict(cfg.train_cfg, max_epochs=ENDLESS)
    runner = build_runner(cfg)
    hook = SoakHook(out=out, seconds=seconds)
    runner.register_hook(hook)
    runner.train()
    return hook
