"""Experiments on the same queries -> what the first has over each other, with paired bootstrap intervals.

The numbers are those of `experiments.summary.compare`, as tools/run_seeds.py prints them.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...errors import DataError
from ...experiments.summary import METHOD, compare
from .blocks import Block, Charts, Details, Missing, Section, Table, Text, command, interval
from .chart import forest_plot
from .recall_tables import Summary, groups_of, names_of_recalls, seeds_in_words
from .work_dirs import Experiment, Run


def difference_section(experiments: Sequence[Experiment], *, resamples: int = 10_000) -> Section:
    """One table for each group of experiments that can be compared.

    Args:
        experiments: the first of each group is the one that the others are compared to.
        resamples: of the bootstrap.

    Raises:
        ConfigError: ``resamples`` is out of range.
        DataError: results of one experiment differ in more than the seed.
    """
    groups = [group for group in groups_of(experiments) if len(group) > 1]
    blocks = [block for i, group in enumerate(groups) for block in _group_blocks(group, i, resamples)]
    if any(isinstance(block, Table) for block in blocks):
        blocks.append(Details('How the intervals are made', (Text(f'{METHOD[0].upper()}{METHOD[1:]}.'),)))
    if not blocks:
        blocks = [
            Missing(
                'There are no two evaluated experiments on the same data, so nothing can be compared.',
                command('tools/run_seeds.py', 'CONFIG', 'ABLATION_CONFIG', '--seeds', 0, 1, 2),
            )
        ]
    return Section('differences', 'Ablation: paired differences', tuple(blocks))


def _group_blocks(group: Sequence[Summary], position: int, resamples: int) -> list[Block]:
    first, summary = group[0]
    names = names_of_recalls(summary)
    data = summary['data']
    where = f'{data["name"]}, split {data["split"]}'
    rows: list[tuple[str, ...]] = []
    bars: list[tuple[str, float, float, float]] = []
    left_out: list[Block] = []
    level = 0.95
    for other, _ in group[1:]:
        ours, theirs = _common_seeds(first, other)
        if not ours:
            left_out.append(
                Missing(
                    f'{first.name} and {other.name} have no seed in common, so they cannot be paired.',
                    command('tools/run_seeds.py', 'CONFIG', 'ABLATION_CONFIG', '--seeds', 0, 1, 2),
                )
            )
            continue
        try:
            found = compare(
                [run.folder / 'test_results.json' for run in ours],
                [run.folder / 'test_results.json' for run in theirs],
                resamples=resamples,
            )
        except DataError as error:
            left_out.append(Missing(f'{first.name} and {other.name} are not compared: {error}.'))
            continue
        level = found['level']
        values = [found['difference'][name] for name in names]
        rows.append(
            (
                other.name,
                *(interval(v['mean'], v['low'], v['high']) for v in values),
                seeds_in_words(found['seeds']),
            )
        )
        rsum = found['difference']['Rsum']
        bars.append((f'minus {other.name}', rsum['mean'], rsum['low'], rsum['high']))
    if not rows:
        return left_out
    text = (
        f'{where}: what {first.name} has over each other config, in percentage points, with its {level:.0%} interval '
        f'from {resamples} resamples; an interval that holds 0 leaves open which is better.'
    )
    title = f'Rsum of {first.name} minus that of each other config'
    return [
        Text(text),
        Charts((forest_plot(f'forest-{position}', title, 'percentage points of Rsum', bars),)),
        Table(
            f'{first.name} minus each other config on {where}',
            ('minus', *(name.replace('_', ' ') for name in names), 'seeds'),
            tuple(rows),
        ),
        *left_out,
    ]


def _common_seeds(first: Experiment, second: Experiment) -> tuple[list[Run], list[Run]]:
    """Runs of the seeds that both have evaluated, in the same order."""
    by_seed = {run.seed: run for run in second.evaluated}
    ours = [run for run in first.evaluated if run.seed in by_seed]
    return ours, [by_seed[run.seed] for run in ours]
