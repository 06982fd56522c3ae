"""Command line and config file -> a Runner; what tools/train.py and tools/test.py share."""

from __future__ import annotations

import argparse
import inspect
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Callable, NoReturn, Optional

import torch
import torch.distributed as dist
from mmengine.config import Config, DictAction
from mmengine.logging import print_log
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from ..errors import ConfigError, OSDPMError
from ..experiments.selection import check_selection
from ..features.use_cache import use_feature_cache
from .cpu_processes import distribute_on_cpu
from .launchers import LAUNCHERS
from .run_faults import explain_fault
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


class Overrides(DictAction):
    """``KEY=VALUE`` pairs; what is none ends the program as argparse ends it, with the usage and exit code 2."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: Optional[str] = None) -> None:
        """Read the pairs."""
        try:
            super().__call__(parser, namespace, values, option_string)
        except (ValueError, AssertionError) as error:
            raise argparse.ArgumentError(self, f'expected KEY=VALUE pairs, got {" ".join(values)!r}') from error


def overrides_of(pairs: Sequence[str]) -> dict[str, Any]:
    """``KEY=VALUE`` pairs -> key and value, as ``--cfg-options`` reads them."""
    parser = argparse.ArgumentParser(prog='--cfg-options')
    parser.add_argument('pairs', nargs='*', action=Overrides)
    return parser.parse_args(list(pairs)).pairs or {}


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that users of OpenMMLab know."""
    parser.add_argument('config', help='config file')
    parser.add_argument('--work-dir', help='folder for logs and checkpoints (default: work_dirs/<name of the config>)')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=Overrides,
        default={},
        help='override values of the config, e.g. train_dataloader.batch_size=64 model.neck.channels=256',
    )
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none', help='job launcher')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help='set by torch.distributed.launch')


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
    _override(cfg, args.cfg_options)
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
        for warning in filter(None, warnings):  # to the log that the runner has opened
            print_log(warning, logger='current', level=logging.WARNING)
        return runner
    except (TypeError, KeyError) as error:
        raise explain(error) from error


def _leave_out_sharding(cfg: Config) -> Optional[str]:
    """One process has nothing to share its weights with -> what is to be said of it."""
    if (cfg.get('strategy') or {}).get('type') != 'FullyShardStrategy':
        return None
    for key in ('runner_type', 'strategy'):
        cfg.pop(key, None)
    return 'one process: FullyShardStrategy is left out'


def explain(error: Exception) -> Exception:
    """Turn Python's complaint about a keyword that a constructor does not take, or an unknown name, into a
    ConfigError, and what the machine did into the sentence of `explain_fault`; any other error stays what it is.
    """
    text = ' '.join(str(error.args[0] if error.args else error).split())
    if isinstance(error, TypeError) and '__init__() ' in text and 'argument' in text:
        return ConfigError(f'the config does not fit a component: {text}')
    if isinstance(error, TypeError) and text.startswith(('cfg should be', 'type must be')):
        return ConfigError(f'the config has something else where a component belongs: {text}')
    if isinstance(error, KeyError) and 'must contain the key "type"' in text:
        return ConfigError(f'the config names no type for a component: {text}')
    if isinstance(error, KeyError) and ' registry' in text:
        return ConfigError(f'the config names an unknown component: {text}')
    return explain_fault(error) or error


def _describe(error: Exception) -> str:
    """An error in one line."""
    return f'{type(error).__name__}: {" ".join(str(error).split())}'


def run_tool(main: Callable[[], Optional[int]]) -> NoReturn:
    """Run a command; an error of the user's input ends it with one sentence on stderr and exit code 2.

    Processes of a launcher leave their group first, which Python's exit does not do for them. After an error they end
    at once: another process may be gone, for which NCCL's end would wait, and threads that still work for the group
    would abort Python's exit.
    """
    try:
        code = main()
        if _in_group():
            dist.destroy_process_group()
        sys.exit(code)
    except Exception as error:
        explained = explain(error)
        if not isinstance(explained, OSDPMError):
            raise
        # a data loader's worker wraps the sentence in its traceback
        sentence = str(explained).strip().splitlines()[-1].split(f'{type(explained).__name__}: ', 1)[-1]
        print(f'error: {sentence}', file=sys.stderr)
        if _in_group():
            _end_at_once(2)
        sys.exit(2)


def _in_group() -> bool:
    """Whether this process is part of torch.distributed."""
    return dist.is_available() and dist.is_initialized()


def _end_at_once(code: int) -> NoReturn:
    """End this process without Python's clean-up, once all that was said is written."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
