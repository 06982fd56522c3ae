"""Config -> Runner, on one process or several."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Optional

import torch
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from ..engine import CheckpointCompatibilityHook, ResumedScheduleHook, TrainingRecordHook
from ..utils.dist import unwrapped
from .faults import explain
from .launchers import distribute_on_cpu
from .selection import check_selection


def build_runner(cfg: Config) -> Runner:
    """The Runner of a config.

    Raises:
        ConfigError: a component is unknown or does not take a key of its config, or the best checkpoint would be chosen
            on test.
    """
    warnings = [check_selection(cfg)]
    if cfg.get('launcher', 'none') == 'none':
        warnings.append(_leave_out_sharding(cfg))
    elif not torch.cuda.is_available():
        distribute_on_cpu(cfg)
    try:
        with _hooks_in_one_line(cfg):
            runner = RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
        runner.register_hook(TrainingRecordHook())
        if cfg.get('resume'):  # the configs of earlier runs do not name it
            runner.register_hook(ResumedScheduleHook())
        for warning in filter(None, warnings):  # after the runner has opened its log
            print_log(warning, logger='current', level=logging.WARNING)
        return runner
    except (TypeError, KeyError) as error:
        raise explain(error) from error


def build_tester(cfg: Config) -> Runner:
    """The Runner of a test, whose checkpoint brings the weights, so that the model is built and not initialised.

    It is initialised, before the checkpoint is loaded, where that may lack weights and `CheckpointCompatibilityHook`
    does not see to it.

    Raises:
        ConfigError: as `build_runner`.
        CheckpointError: the weights that a tower needs are missing or do not fit.
    """
    runner = build_runner(cfg)
    hooks = [hook for hook in runner.hooks if isinstance(hook, CheckpointCompatibilityHook)]
    if not isinstance(runner, Runner):  # FlexibleRunner: asks, and shares the weights out before the hook sees them
        complete = bool(hooks) and not any(hook.allow_missing for hook in hooks)
        runner.cfg.setdefault('init_weights_for_test_or_val', not complete)
    elif not hooks:
        unwrapped(runner.model).init_weights()
    return runner


@contextmanager
def _hooks_in_one_line(cfg: Config) -> Iterator[None]:
    """A Runner that is built here logs its hooks by their names, with what each does at which point at DEBUG only."""
    kind = Runner if 'runner_type' not in cfg else RUNNERS.get(cfg.runner_type)
    table = getattr(kind, 'get_hooks_info', None)
    if table is None or cfg.get('log_level') == 'DEBUG':
        yield
        return
    kind.get_hooks_info = lambda runner: ', '.join(type(hook).__name__ for hook in runner.hooks)
    try:
        yield
    finally:
        kind.get_hooks_info = table


def _leave_out_sharding(cfg: Config) -> Optional[str]:
    """Remove FullyShardStrategy from a config for one process; returns a warning, or None without it."""
    if (cfg.get('strategy') or {}).get('type') != 'FullyShardStrategy':
        return None
    for key in ('runner_type', 'strategy'):
        cfg.pop(key, None)
    return 'one process: FullyShardStrategy is left out'
