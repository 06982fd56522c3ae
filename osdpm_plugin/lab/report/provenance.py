"""Result files, configs and logs -> what was run, with what, and how configs differ."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Optional

from ...errors import DataError
from ..experiments.schema import RunResult
from ..experiments.tables import seed_names
from .blocks import Block, Code, Details, Missing, Section, Table, Text, command, count
from .work_dirs import Experiment, Run

HASH = 12  # digits shown of a hash
ENVIRONMENT = re.compile(r'System environment:\n(.*?)\n-{20,}', re.DOTALL)
FACTS: tuple[tuple[str, Callable[[RunResult], str]], ...] = (
    ('git commit', lambda r: 'unknown' if r.git is None else r.git.commit[:HASH] + (' with changes' * r.git.dirty)),
    ('config hash', lambda r: r.config.sha256[:HASH]),
    ('data', lambda r: f'{r.data.name}, split {r.data.split}'),
    ('data hash', lambda r: r.data.sha256[:HASH]),
    ('checkpoint', lambda r: r.checkpoint.file),
    ('checkpoint hash', lambda r: r.checkpoint.sha256[:HASH]),
    ('chosen by', lambda r: r.selection),
    ('evaluation, seconds', lambda r: f'{r.wall_time_s:.1f}'),
    ('processor', lambda r: f'{r.hardware.cpu}, {count(r.hardware.cpu_count, "core")}'),
    ('graphics processor', lambda r: ', '.join(r.hardware.gpu) or 'none'),
    ('processes', lambda r: str(r.hardware.processes)),
)


def overview_section(experiments: Sequence[Experiment]) -> Section:
    """What the page is about."""
    rows = tuple(
        (
            one.name,
            str(one.folder),
            str(len(one.runs)),
            ', '.join(seed_names([run.seed for run in one.runs])),
            f'{len(one.evaluated)} of {len(one.runs)}',
            _range([run.train_seconds / 60 for run in one.runs if run.train_seconds is not None]),
        )
        for one in experiments
    )
    head = ('config', 'folder', 'runs', 'seeds', 'evaluated', 'training minutes')
    return Section('overview', 'Overview', (Table('What was run', head, rows, texts=2),))


def config_section(experiments: Sequence[Experiment]) -> Section:
    """Configs as mmengine wrote them, and how they differ from the first.

    Raises:
        DataError: a config cannot be read.
    """
    blocks: list[Block] = []
    first: Optional[tuple[str, str]] = None
    for one in experiments:
        path = next((run.config for run in one.runs if run.config is not None), None)
        if path is None:
            text = f'{one.name}: its folder holds no config file, which training and evaluation write.'
            blocks.append(Missing(text, _test_command(one)))
            continue
        text = _read(path)
        if first is not None:
            name, other = first
            lines = difflib.unified_diff(other.splitlines(), text.splitlines(), name, one.name, n=2, lineterm='')
            label = f'How {one.name} differs from {name}'
            blocks.append(Details(label, (Code(label, '\n'.join(lines) or 'no difference', is_diff=True),)))
        blocks.append(Details(f'Config of {one.name}', (Code(f'Config of {one.name}', text),)))
        first = first or (one.name, text)
    return Section('config', 'Config', tuple(blocks))


def environment_section(experiments: Sequence[Experiment]) -> Section:
    """Versions, source code, machine, hashes; of what was only trained, what its log says.

    Raises:
        DataError: a log cannot be read.
    """
    runs = [(one, result) for one in experiments for _, result in one.results]
    blocks: list[Block] = []
    if runs:
        head = ('fact', *(one.name + ('' if result.seed is None else f', seed {result.seed}') for one, result in runs))
        rows = tuple((name, *(fact(result) for _, result in runs)) for name, fact in FACTS)
        blocks.append(Table('Source code, data, weights and machine of each evaluation', head, rows, texts=len(head)))
        packages = dict.fromkeys(package for _, result in runs for package in result.versions)
        versions = tuple((name, *(result.versions.get(name, 'not noted') for _, result in runs)) for name in packages)
        if all(len(set(row[1:])) == 1 for row in versions):
            blocks.append(Table('Versions', ('package', 'version'), tuple(row[:2] for row in versions), texts=2))
        else:
            blocks.append(Table('Versions of each evaluation', head, versions, texts=len(head)))
        if any(result.git is not None and result.git.dirty for _, result in runs):
            blocks.append(Text('With changes: tracked files differed from the commit when the numbers were made.'))
    for one in experiments:
        if not one.evaluated:
            said = next(filter(None, map(_logged, one.runs)), '')
            label = f'Environment that the log of {one.name} names'
            text = f'{one.name}: neither a result file nor a log says with what versions it was made.'
            blocks.append(Details(label, (Code(label, said),)) if said else Missing(text, _test_command(one)))
    return Section('environment', 'Versions and environment', tuple(blocks))


def _test_command(one: Experiment) -> str:
    return command('tools/test.py', 'CONFIG', 'CHECKPOINT', '--work-dir', one.runs[0].folder)


def _logged(run: Run) -> str:
    """The newest system environment in the logs of a run; '' for none."""
    for path in sorted(run.folder.glob('*/*.log'), reverse=True):
        match = ENVIRONMENT.search(_read(path))
        if match:
            lines = [line.strip() for line in match[1].splitlines()]
            return '\n'.join(line[:400] for line in lines if line and not line.startswith('- '))
    return ''


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding='utf-8', errors='replace')
    except OSError as error:
        raise DataError(f'{path} cannot be read: {error.strerror or error}; check its permissions') from error


def _range(values: Sequence[float]) -> str:
    if not values:
        return 'not noted'
    low, high = min(values), max(values)
    return f'{low:.1f}' if f'{low:.1f}' == f'{high:.1f}' else f'{low:.1f} to {high:.1f}'
