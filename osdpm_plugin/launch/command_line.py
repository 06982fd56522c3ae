"""Command line -> options that users of OpenMMLab know; errors -> one sentence and exit code 2."""

from __future__ import annotations

import argparse
import ast
import logging
import os
import re
import sys
from collections.abc import Sequence
from typing import Any, Callable, NoReturn, Optional

import torch.distributed as dist
from mmengine.config import DictAction

from ..errors import OSDPMError
from .faults import explain

# in a value of the command line: a component, or a list of sentences with {} in them
COMPONENT = re.compile(r'\bdict\(|\{\s*[\'"]|^\s*[\[(]\s*[\'"].*\{\}')
LEVELS = ('DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL')


class Overrides(DictAction):
    """``KEY=VALUE`` pairs; anything else ends the program as argparse does, with the usage and exit code 2.

    Values are written as in mmengine (``1,2,3``, ``[(1,2),(3,4)]``), or as in a config where they hold a component or a
    dict: ``custom_hooks=[dict(type='EMAHook', momentum=0.01)]``. Names in it need no quotes. A sentence with ``{}`` for
    a text keeps its blanks and commas.
    """

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: Optional[str] = None) -> None:
        """Read the pairs."""
        try:
            super().__call__(parser, namespace, values, option_string)
        except (ValueError, AssertionError, RecursionError) as error:
            hint = '; a component is written "dict(type=Name, key=1)", in quotes for the shell'
            hint = hint if all('=' in value for value in values) else ''
            raise argparse.ArgumentError(self, f'expected KEY=VALUE pairs, got {" ".join(values)!r}{hint}') from error

    @staticmethod
    def _parse_iterable(val: str) -> Any:
        """A value of the command line."""
        if COMPONENT.search(val):
            try:
                return _value_of(ast.parse(val.strip(), mode='eval').body)
            except SyntaxError as error:
                raise ValueError(val) from error
        sentence = '{}' in val and not val.lstrip().startswith(('[', '('))
        return val.strip('\'"') if sentence else DictAction._parse_iterable(val)


def _value_of(node: ast.expr) -> Any:
    """The value of an expression as a config has it; a word without quotes is a string, and nothing is run.

    Raises:
        ValueError: it is no value.
    """
    if isinstance(node, ast.Call) and ast.unparse(node.func) == 'dict' and not node.args:
        return {_key_of(keyword.arg): _value_of(keyword.value) for keyword in node.keywords}
    if isinstance(node, ast.Dict):
        return {_key_of(key): _value_of(value) for key, value in zip(node.keys, node.values)}
    if isinstance(node, (ast.List, ast.Tuple)):
        values = [_value_of(part) for part in node.elts]
        return values if isinstance(node, ast.List) else tuple(values)
    if isinstance(node, (ast.Name, ast.Attribute)):
        return {'true': True, 'false': False}.get(ast.unparse(node), ast.unparse(node))
    return ast.literal_eval(node)


def _key_of(key: Any) -> Any:
    """The key of a dict; None stands for ``**``, which has no value here."""
    if key is None:
        raise ValueError('**')
    return _value_of(key) if isinstance(key, ast.expr) else key


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
    parser.add_argument(
        '--log-level',
        type=str.upper,
        choices=LEVELS,
        help='how much is logged (default: log_level of the config, INFO)',
    )
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none', help='job launcher')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help='set by torch.distributed.launch')


def run_tool(main: Callable[[], Optional[int]]) -> NoReturn:
    """Run a command; an error in the user's input ends it with one sentence on stderr and exit code 2.

    Processes of a launcher leave their group first, which Python does not do at exit. After an error they end at once:
    another process may be gone, and NCCL would wait for it, and threads of the group would abort Python's exit.
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
    """End this process without Python's clean-up, after all output is written."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
