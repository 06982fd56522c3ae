"""Experiments on the same queries -> what the first has over each other, with paired bootstrap intervals.

The numbers are those of `experiments.summary.compare`, as tools/run_seeds.py prints them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...errors import DataError
from ..experiments.statistics import Difference
from ..experiments.summary import METHOD, compare
from ..experiments.tables import seed_names
from .blocks import Block, Charts, Details, Missing, Section, Table, Text, command
from .chart import forest_plot
from .recall_tables import comparable, place_of
from .work_dirs import Experiment

MAKE = command('tools/run_seeds.py', 'CONFIG', 'ABLATION_CONFIG', '--seeds', 0, 1, 2)


def difference_section(experiments: Sequence[Experiment], *, resamples: int = 10_000) -> Section:
    """One table for each group of experiments that can be compared, to the first of the group.

    Raises:
        ConfigError: ``resamples`` is out of range.
        DataError: results of one experiment differ in more than the seed.
    """
    groups = [group for group in comparable(experiments) if len(group) > 1]
    blocks = [block for i, group in enumerate(groups) for block in _group_blocks(group, i, resamples)]
    if any(isinstance(block, Table) for block in blocks):
        blocks.append(Details('How the intervals are made', (Text(f'{METHOD[0].upper()}{METHOD[1:]}.'),)))
    if not blocks:
        blocks = [Missing('There are no two evaluated experiments on the same data, so nothing can be compared.', MAKE)]
    return Section('differences', 'Ablation: paired differences', tuple(blocks))


def _group_blocks(group: Sequence[Experiment], position: int, resamples: int) -> list[Block]:
    first, where = group[0], place_of(group[0])
    names: list[str] = []
    rows: list[tuple[str, ...]] = []
    bars: list[tuple[str, Difference]] = []
    left_out: list[Block] = []
    level = 0.95
    for other in group[1:]:
        ours, theirs = _common_seeds(first, other)
        if not ours:
            text = f'{first.name} and {other.name} have no seed in common, so they cannot be paired.'
            left_out.append(Missing(text, MAKE))
            continue
        try:
            found = compare(ours, theirs, resamples=resamples)
        except DataError as error:
            left_out.append(Missing(f'{first.name} and {other.name} are not compared: {error}.'))
            continue
        level, names = found['level'], [name.replace('_', ' ') for name in found['difference']]
        values = {name: Difference(**value) for name, value in found['difference'].items()}
        cells = (f'{value}'.replace(', ', ',\u00a0') for value in values.values())
        rows.append((other.name, *cells, ', '.join(seed_names(found['seeds']))))
        bars.append((f'minus {other.name}', values['Rsum']))
    if not rows:
        return left_out
    text = (
        f'{where}: what {first.name} has over each other config, in percentage points, with its {level:.0%} interval '
        f'from {resamples} resamples; an interval that holds 0 leaves open which is better.'
    )
    title = f'Rsum of {first.name} minus that of each other config'
    caption = f'{first.name} minus each other config on {where}'
    return [
        Text(text),
        Charts((forest_plot(f'forest-{position}', title, 'percentage points of Rsum', bars),)),
        Table(caption, ('minus', *names, 'seeds'), tuple(rows)),
        *left_out,
    ]


def _common_seeds(first: Experiment, second: Experiment) -> tuple[list[Path], list[Path]]:
    """Result files of the seeds that both have evaluated, in the same order."""
    ours, theirs = ({result.seed: path for path, result in one.results} for one in (first, second))
    common = [seed for seed in ours if seed in theirs]
    return [ours[seed] for seed in common], [theirs[seed] for seed in common]
