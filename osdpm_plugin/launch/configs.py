"""Options of the command line -> the config that a Runner takes."""

from __future__ import annotations

import argparse
import inspect
import logging
import os
import tempfile
from pathlib import Path
from typing import Union

import torch
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.runner import Runner

from ..compat import quieten
from ..errors import ConfigError, OSDPMError
from ..features.use_cache import use_feature_cache
from .check_values import check_values, leave_out_options_of_workers
from .data_options import spread_data_options
from .launchers import LAUNCHERS, check_launcher
from .schedules import follow_length

# Top-level keys of a config that are read although they are not arguments of the Runner.
RUNNER_KEYS = (
    'activation_checkpointing',
    'compile',
    'efficient_conv_bn_eval',
    'feature_cache',
    'find_unused_parameters',
    'model_wrapper_cfg',
    'prompts',
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
    check_launcher(args.launcher)
    launcher = LAUNCHERS.get(args.launcher)
    if launcher is not None and launcher.marker not in os.environ:
        raise ConfigError(f'--launcher {args.launcher}: {launcher.marker} is not set; start with {launcher.start}')
    cfg = read_config_file(args.config)
    follow_length(cfg, args.cfg_options)
    _override(cfg, spread_data_options(cfg, args.cfg_options))
    leave_out_options_of_workers(cfg)
    if getattr(args, 'log_level', None):
        cfg.log_level = args.log_level
    check_values(cfg)
    quieten(cfg.get('log_level') != 'DEBUG')
    if cfg.get('feature_cache'):
        cfg = use_feature_cache(cfg, cfg.feature_cache)
    cfg.launcher = args.launcher
    cfg.work_dir = check_work_dir(args.work_dir or cfg.get('work_dir') or f'work_dirs/{Path(args.config).stem}')
    # a config is written into each checkpoint, and yapf takes seconds over one with long paths
    object.__setattr__(cfg, '_format_python_code', False)
    return cfg


def read_config_file(path: Union[str, Path]) -> Config:
    """Read a config file.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        return Config.fromfile(path)
    except OSDPMError:
        raise
    except Exception as error:  # a config is a program and fails in as many ways
        raise ConfigError(f'config {path} cannot be read: {_describe(error)}') from error


def _override(cfg: Config, options: dict) -> None:
    """Merge ``--cfg-options``; a misspelt top-level key is an error, because it would have no effect."""
    read = {*RUNNER_KEYS, *inspect.signature(Runner.__init__).parameters}
    variables = [key for key in options if key.split('.')[0] in set(cfg.keys()) - read]
    if variables:
        name = variables[0].split('.')[0]
        print_log(
            f'--cfg-options {variables[0]}: {name!r} is a variable of the config file, which was already used when '
            'the file was read; to change a component, name its own key, e.g. '
            f'{"train_cfg.max_epochs" if name == "max_epochs" else "model.neck.channels"}',
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
    replaced = [hook.get('type') for hook in cfg.get('custom_hooks') or ()] if 'custom_hooks' in options else []
    if replaced:
        print_log(
            f'--cfg-options custom_hooks replaces those of the config, {", ".join(map(str, replaced))}; to keep them '
            'name them too',
            logger='current',
            level=logging.WARNING,
        )
    try:
        cfg.merge_from_dict(options)
    except Exception as error:  # mmengine raises TypeError, KeyError, IndexError, AttributeError and AssertionError
        pairs = ' '.join(f'{key}={value}' for key, value in options.items())
        raise ConfigError(f'--cfg-options {pairs} does not fit the config: {_describe(error)}') from error


def check_work_dir(path: str) -> str:
    """The absolute path of a folder, which is made if there is none, once a probe file could be written and removed.

    Args:
        path: folder; a leading ``~`` is expanded.

    Raises:
        ConfigError: it cannot be made, or not be written.
    """
    folder = os.path.abspath(os.path.expanduser(path))
    try:
        os.makedirs(folder, exist_ok=True)
        with tempfile.NamedTemporaryFile(prefix='.probe-', dir=folder) as probe:
            probe.write(b'1')
            probe.flush()
    except OSError as error:
        raise ConfigError(
            f'work_dir {folder} cannot be written: {error.strerror or error}; name another one with --work-dir'
        ) from error
    return folder


def use_amp(cfg: Config) -> None:
    """Train in mixed precision with `AutocastOptimWrapper`, on CPUs and GPUs.

    ``optim_wrapper.dtype`` is kept if the config has one; otherwise it is bfloat16, or float16 on a GPU without
    bfloat16.

    Args:
        cfg: is changed.

    Raises:
        ConfigError: the config has another kind of optimizer wrapper.
    """
    wrapper = cfg.get('optim_wrapper')
    kind = 'none' if wrapper is None else wrapper.get('type', 'OptimWrapper')
    name = kind.rpartition('.')[2] if isinstance(kind, str) else kind.__name__
    if name not in ('OptimWrapper', 'AutocastOptimWrapper'):
        raise ConfigError(
            f"--amp replaces OptimWrapper by AutocastOptimWrapper, but the config's optim_wrapper is {name}; "
            'leave --amp out, or set optim_wrapper.type=OptimWrapper'
        )
    wrapper.type = 'AutocastOptimWrapper'
    old_gpu = torch.cuda.is_available() and not torch.cuda.is_bf16_supported(including_emulation=False)
    wrapper.setdefault('dtype', 'float16' if old_gpu else 'bfloat16')


def _describe(error: Exception) -> str:
    """An error in one line."""
    return f'{type(error).__name__}: {" ".join(str(error).split())}'
