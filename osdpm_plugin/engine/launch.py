"""Command line and config file -> a Runner; what tools/train.py and tools/test.py share."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Callable, NoReturn, Optional

import torch
import torch.distributed as dist
from mmengine.config import Config, DictAction
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from ..errors import ConfigError, OSDPMError
from .work_dir import check_work_dir


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that users of OpenMMLab know."""
    parser.add_argument('config', help='config file')
    parser.add_argument('--work-dir', help='folder for logs and checkpoints (default: work_dirs/<name of the config>)')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        help='override values of the config, e.g. train_dataloader.batch_size=64 model.neck.channels=256',
    )
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none', help='job launcher')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help='set by torch.distributed.launch')


def load_config(args: argparse.Namespace) -> Config:
    """Read the config of `add_common_arguments` and settle launcher, overrides and work_dir.

    Raises:
        ConfigError: the file is missing or cannot be read, an override does not fit, or work_dir cannot be written.
    """
    if not Path(args.config).is_file():
        raise ConfigError(f'config file {args.config} does not exist')
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    try:
        cfg = Config.fromfile(args.config)
        cfg.merge_from_dict(args.cfg_options)
    except (SyntaxError, KeyError, TypeError, AttributeError, IndexError, FileNotFoundError, ImportError) as error:
        raise ConfigError(f'config {args.config} cannot be used: {error}') from error
    cfg.launcher = args.launcher
    cfg.work_dir = check_work_dir(args.work_dir or cfg.get('work_dir') or f'work_dirs/{Path(args.config).stem}')
    return cfg


def build_runner(cfg: Config) -> Runner:
    """The Runner of a config.

    Raises:
        ConfigError: a component is unknown or does not take a key of its config.
    """
    if cfg.get('launcher', 'none') == 'pytorch' and not torch.cuda.is_available():
        _distribute_on_cpu(cfg)
    try:
        return RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
    except (TypeError, KeyError) as error:
        raise explain(error) from error


def _distribute_on_cpu(cfg: Config) -> None:
    """mmengine's own start asks for a GPU on every process; without any, join by gloo and wrap without device ids."""
    if not dist.is_initialized():
        dist.init_process_group('gloo')
    cfg.setdefault(
        'model_wrapper_cfg',
        dict(type='MMDistributedDataParallel', find_unused_parameters=cfg.get('find_unused_parameters', False)),
    )


def explain(error: Exception) -> Exception:
    """Turn Python's complaint about a keyword that a constructor does not take, or an unknown name, into a
    ConfigError.
    """
    text = str(error.args[0]) if error.args else str(error)
    if isinstance(error, TypeError) and (
        'unexpected keyword argument' in text or 'required keyword-only' in text or 'required positional' in text
    ):
        return ConfigError(f'the config does not fit a component: {text}')
    if isinstance(error, KeyError) and 'registry' in text:
        return ConfigError(f'the config names an unknown component: {text}')
    return error


def run_tool(main: Callable[[], Optional[int]]) -> NoReturn:
    """Run a command; an error of the user's input ends it with one sentence on stderr and exit code 2."""
    try:
        sys.exit(main())
    except OSDPMError as error:
        print(f'error: {error}', file=sys.stderr)
        sys.exit(2)
