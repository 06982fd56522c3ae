"""Options of the command line -> the config that a Runner takes."""

from __future__ import annotations

import argparse
import inspect
import logging
import os
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.runner import Runner

from ..errors import ConfigError, OSDPMError
from ..features.use_cache import use_feature_cache
from .data_options import spread_data_options
from .launchers import LAUNCHERS
from .work_dir import check_work_dir

# Top-level keys of a config that the Runner reads besides its own arguments.
RUNNER_KEYS = (
    'activation_checkpointing',
    'compile',
    'efficient_conv_bn_eval',
    'feature_cache',
    'find_unused_parameters',
    'model_wrapper_cfg',
    'resume',
    'runner_type',
    'select_on_test',
    'strategy',
    'sync_bn',
)


def load_config(args: argparse.Namespace) -> Config:
    """Read the config of `add_common_arguments` and settle launcher, overrides and work_dir.

    Raises:
        ConfigError: the file is missing or cannot be read, an override or the launcher does not fit, or work_dir
            cannot be written.
    """
    if not Path(args.config).is_file():
        raise ConfigError(f'config file {args.config} does not exist; check the path')
    local_rank = os.environ.get(LAUNCHERS['mpi'].marker) if args.launcher == 'mpi' else None
    os.environ.setdefault('LOCAL_RANK', local_rank or str(args.local_rank))
    launcher = LAUNCHERS.get(args.launcher)
    if launcher is not None and launcher.marker not in os.environ:
        raise ConfigError(f'--launcher {args.launcher}: {launcher.marker} is not set; start with {launcher.start}')
    try:
        cfg = Config.fromfile(args.config)
    except OSDPMError:
        raise
    except Exception as error:  # a config is a program and fails in as many ways
        raise ConfigError(f'config {args.config} cannot be read: {_describe(error)}') from error
    _override(cfg, spread_data_options(cfg, args.cfg_options))
    if cfg.get('feature_cache'):
        cfg = use_feature_cache(cfg, cfg.feature_cache)
    cfg.launcher = args.launcher
    cfg.work_dir = check_work_dir(args.work_dir or cfg.get('work_dir') or f'work_dirs/{Path(args.config).stem}')
    # a config is written into each checkpoint, and yapf takes seconds over one with long paths
    object.__setattr__(cfg, '_format_python_code', False)
    return cfg


def _override(cfg: Config, options: dict) -> None:
    """Merge ``--cfg-options``; a misspelt top-level key is an error, since it would change nothing."""
    read = {*RUNNER_KEYS, *inspect.signature(Runner.__init__).parameters}
    variables = [key for key in options if key.split('.')[0] in set(cfg.keys()) - read]
    if variables:
        name = variables[0].split('.')[0]
        print_log(
            f'--cfg-options {variables[0]}: {name!r} is a variable of the config file, whose uses were settled when '
            'it was read; to change a component name its own key, e.g. train_dataloader.dataset.data_root',
            logger='current',
            level=logging.WARNING,
        )
    known = {*cfg.keys(), *read}
    unknown = [key for key in options if key.split('.')[0] not in known]
    if unknown:
        raise ConfigError(
            f'--cfg-options {unknown[0]}: the config has no key {unknown[0].split(".")[0]!r}; '
            f'it has {", ".join(sorted(cfg))}'
        )
    try:
        cfg.merge_from_dict(options)
    except Exception as error:  # mmengine raises TypeError, KeyError, IndexError, AttributeError and AssertionError
        pairs = ' '.join(f'{key}={value}' for key, value in options.items())
        raise ConfigError(f'--cfg-options {pairs} does not fit the config: {_describe(error)}') from error


def use_amp(cfg: Config) -> None:
    """Train in mixed precision by `AutocastOptimWrapper`, on CPUs and GPUs.

    ``optim_wrapper.dtype`` is kept where the config says one; else it is bfloat16, or float16 on a GPU that does not
    compute in bfloat16.

    Args:
        cfg: is changed.

    Raises:
        ConfigError: the optimizer wrapper is of a kind that does something else.
    """
    wrapper = cfg.get('optim_wrapper')
    kind = 'none' if wrapper is None else wrapper.get('type', 'OptimWrapper')
    name = kind.rpartition('.')[2] if isinstance(kind, str) else kind.__name__
    if name not in ('OptimWrapper', 'AutocastOptimWrapper'):
        raise ConfigError(
            f"--amp puts AutocastOptimWrapper in the place of OptimWrapper, but the config's optim_wrapper is {name}; "
            'leave --amp out, or set optim_wrapper.type=OptimWrapper'
        )
    wrapper.type = 'AutocastOptimWrapper'
    old_gpu = torch.cuda.is_available() and not torch.cuda.is_bf16_supported(including_emulation=False)
    wrapper.setdefault('dtype', 'float16' if old_gpu else 'bfloat16')


def _describe(error: Exception) -> str:
    """An error in one line."""
    return f'{type(error).__name__}: {" ".join(str(error).split())}'
