"""Numbers and names of a config that mmengine and torch refuse late or without the key -> checked at the start."""

from __future__ import annotations

import logging
from typing import Any

from mmengine.config import Config

from ..utils.checks import check_int, check_number, check_one_of
from .command_line import LEVELS

OPTIONS_OF_WORKERS = {'persistent_workers', 'prefetch_factor', 'multiprocessing_context', 'timeout'}
STARTS = ('fork', 'spawn', 'forkserver')


def leave_out_options_of_workers(cfg: Config) -> None:
    """Leave out what a data loader without workers refuses: ``num_workers=0`` alone says enough.

    Args:
        cfg: is changed.
    """
    for name in _loaders(cfg):
        if not cfg[name].get('num_workers', 0):
            for option in OPTIONS_OF_WORKERS.intersection(cfg[name]):
                cfg[name].pop(option)


def check_values(cfg: Config) -> None:
    """Check lengths and intervals of the training, data loaders, learning rate, seed and level of the log.

    Args:
        cfg: ``log_level`` is written in upper case.

    Raises:
        ConfigError: a value does not fit; the sentence names its key.
    """
    for name in _loaders(cfg):
        _check(cfg[name], name, 'batch_size', 1)
        _check(cfg[name], name, 'num_workers', 0)
    train = cfg.get('train_cfg') or {}
    for key in ('max_epochs', 'max_iters', 'val_interval'):
        _check(train, 'train_cfg', key, 1)
    _check(cfg.get('randomness') or {}, 'randomness', 'seed', 0)
    lr = ((cfg.get('optim_wrapper') or {}).get('optimizer') or {}).get('lr')
    if lr is not None:
        check_number('optim_wrapper.optimizer', 'lr', lr, least=0)
    start = ((cfg.get('env_cfg') or {}).get('mp_cfg') or {}).get('mp_start_method')
    if start is not None:
        check_one_of('env_cfg.mp_cfg', 'mp_start_method', start, STARTS)
    if 'log_level' in cfg:
        level = cfg.log_level
        name = logging.getLevelName(level) if isinstance(level, int) else str(level).upper()
        if name not in LEVELS:
            check_one_of('', 'log_level', level, LEVELS)
        cfg.log_level = name


def _loaders(cfg: Config) -> list[str]:
    return [key for key in cfg if key.endswith('_dataloader') and isinstance(cfg[key], dict)]


def _check(owner: Any, name: str, key: str, least: int) -> None:
    if owner.get(key) is not None:
        check_int(name, key, owner[key], least=least)
