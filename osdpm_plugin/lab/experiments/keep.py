"""Work dirs of finished seeds -> the result files that are kept beside the configs.

::

    configs/results/<config>/seed_<n>.json    the result file, see `schema`
                             seed_<n>.npz     the hits of each query, see `queries`
                             command.txt      what makes them

``<config>`` is the path of the config below its folder: ``osdpm_ucm``, ``comparison/resnet50/galr_ucm``.
"""

from __future__ import annotations

import dataclasses
import json
import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Optional

from ...errors import ConfigError, DataError
from ...utils.files import write_text
from .queries import read_queries
from .record import RESULT_FILE
from .schema import RunResult, read_result, write_result


class Kept(NamedTuple):
    """One result file that was copied.

    Attributes:
        source: in the work dir.
        target: among the configs.
    """

    source: Path
    target: Path


def keep_results(work_dirs: Sequence[Path], configs: Path, *, command: Optional[str] = None) -> list[Kept]:
    """Copy the result files of all finished seeds below some work dirs.

    Args:
        work_dirs: of `tools/run_seeds.py` or `tools/reproduce_table.py`, or folders of them.
        configs: folder of the configs; results go into its ``results``.
        command: for ``command.txt``; that of `tools/run_seeds.py` with the seeds and options of the runs when None.

    Raises:
        DataError: there are no result files, or one is not valid, or another config's results are kept there.
        ConfigError: it cannot be told which config a result is of, or a file cannot be written.
    """
    kept, made = [], {}
    for source in sorted(path for folder in work_dirs for path in folder.rglob(RESULT_FILE)):
        result = read_result(source)
        if result.seed is None:
            raise DataError(f'{source} is of weights without a seed; keep results of tools/run_seeds.py')
        state = _state(source.parent)
        name = _config_of(result, state, configs, source)
        target = configs / 'results' / name / f'seed_{result.seed}.json'
        for path in target.parent.glob('seed_*.json'):
            if (old := read_result(path).config.sha256) != result.config.sha256:
                raise DataError(
                    f'{path} is of config hash {old[:12]}, {source} of {result.config.sha256[:12]}; remove the old '
                    'results to keep new ones'
                )
        queries = source.parent / result.queries_file
        read_queries(queries)  # is whole
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(queries, target.with_suffix('.npz'))
        write_result(target, dataclasses.replace(result, queries_file=f'{target.stem}.npz'))
        made[target.parent] = command or _command(name, target.parent, state.get('options', []))
        kept.append(Kept(source, target))
    if not kept:
        raise DataError(f'there is no {RESULT_FILE} below {", ".join(map(str, work_dirs))}; name work dirs of seeds')
    for folder, text in made.items():
        write_text(folder / 'command.txt', text + '\n', 'command')
    return kept


def _state(folder: Path) -> dict[str, Any]:
    """``state.json`` of a seed, see `seeds`; empty without one."""
    try:
        return json.loads((folder / 'state.json').read_text(encoding='utf-8'))
    except (OSError, ValueError):
        return {}


def _config_of(result: RunResult, state: dict[str, Any], configs: Path, source: Path) -> str:
    """Path of the config of a result, below the folder of configs, without its ending."""
    files = [path for path in configs.rglob(f'{result.config.name}.py') if '_base_' not in path.parts]
    names = [path.relative_to(configs).with_suffix('').as_posix() for path in files]
    given = '/' + state.get('config', '').removesuffix('.py')
    named = names if len(names) == 1 else [name for name in names if given.endswith(f'/{name}')]
    if not named:
        raise ConfigError(
            f'{source} is a result of {result.config.name}, of which {configs} has {len(names)} configs; '
            'keep results of shipped configs, from work dirs with their state.json'
        )
    return max(named, key=len)


def _command(name: str, folder: Path, options: Sequence[str]) -> str:
    """The command of the seeds that are kept in a folder; paths of this machine are left out."""
    seeds = sorted(int(path.stem.partition('_')[2]) for path in folder.glob('seed_*.json'))
    shared = [shlex.quote(option) for option in options if not option.partition('=')[2].startswith('/')]
    parts = [f'python tools/run_seeds.py configs/{name}.py --seeds', *map(str, seeds)]
    return ' '.join([*parts, *(['--cfg-options', *shared] if shared else [])])
