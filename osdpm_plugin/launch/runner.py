"""Config -> Runner, on one process or several."""

from __future__ import annotations

import logging
from typing import Optional

import torch
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from ..engine import CheckpointCompatibilityHook
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
        runner = RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
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


def _leave_out_sharding(cfg: Config) -> Optional[str]:
    """Remove FullyShardStrategy from a config for one process; returns a warning, or None without it."""
    if (cfg.get('strategy') or {}).get('type') != 'FullyShardStrategy':
        return None
    for key in ('runner_type', 'strategy'):
        cfg.pop(key, None)
    return 'one process: FullyShardStrategy is left out'
