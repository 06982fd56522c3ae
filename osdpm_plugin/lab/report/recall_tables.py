"""Result files -> recall, mean ± standard deviation over seeds, and what it stands on.

Numbers and wording are those of `experiments.tables`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...errors import DataError
from ...evaluation.recall import TIE_POLICIES
from ..experiments.statistics import MeanAndStd
from ..experiments.tables import RecallTable, average_seeds, seed_names
from .blocks import Block, Details, Missing, Section, Table, Text, command
from .work_dirs import Experiment, best_checkpoint

TIES = (
    'Equal scores: expected counts them by the exact expectation over their orders, optimistic for the model, '
    'pessimistic against it.'
)
SECONDARY = (('content', 'Relevance by content'), ('transductive', 'Re-ranked, transductive'))


def recall_section(experiments: Sequence[Experiment]) -> Section:
    """Tables of all experiments, one for each data set, split, rule for ties and K.

    Raises:
        DataError: results of one experiment differ in more than the seed.
    """
    blocks = [block for group in comparable(experiments) for block in _group_blocks(group)]
    blocks += [missing_results(one) for one in experiments if len(one.evaluated) < len(one.runs)]
    return Section('recall', 'Recall', tuple(blocks))


def comparable(experiments: Sequence[Experiment]) -> list[list[Experiment]]:
    """Evaluated experiments, those beside each other that can be compared."""
    groups: dict[tuple[Any, ...], list[Experiment]] = {}
    for one in experiments:
        for _, result in one.results[:1]:
            key = (result.data.sha256, result.data.split, result.tie_policy, tuple(result.topk))
            groups.setdefault(key, []).append(one)
    return list(groups.values())


def place_of(one: Experiment) -> str:
    """Data set and split of an evaluated experiment."""
    data = one.results[0][1].data
    return f'{data.name}, split {data.split}'


def missing_results(one: Experiment) -> Missing:
    """Which runs were not evaluated, and how to do it."""
    left = [run for run in one.runs if run.result is None]
    try:
        checkpoint = str(best_checkpoint(left[0]))
    except DataError:
        checkpoint = 'CHECKPOINT'
    names = ', '.join(run.label for run in left)
    make = command('tools/test.py', left[0].config or 'CONFIG', checkpoint, '--work-dir', left[0].folder)
    return Missing(f'{one.name}: no test_results.json of {names}, so recall on the test split is not known.', make)


def _group_blocks(group: Sequence[Experiment]) -> list[Block]:
    results, where = {one.name: one.results for one in group}, place_of(group[0])
    table = average_seeds(results)
    ties = [average_seeds(results, ties=rule) for rule in TIE_POLICIES]
    head = ('config', *(f'{name} {rule}' for name in table.columns[-2:] for rule in TIE_POLICIES))
    rows = tuple(
        (row.name, *(_cell(one.rows[i].cells[column]) for column in (-2, -1) for one in ties))
        for i, row in enumerate(table.rows)
    )
    worth = Table(f'Rsum and mR under each rule for ties on {where}', head, rows)
    blocks: list[Block] = [
        Text(' '.join(table.notes)),
        _recall_table(f'Recall on {where}', table),
        Details(f'What the rule for ties is worth on {where}', (Text(TIES), worth)),
    ]
    for kind, title in SECONDARY:
        having = {name: runs for name, runs in results.items() if getattr(runs[0][1], f'{kind}_metrics') is not None}
        if having:
            secondary = average_seeds(having, kind)
            title = f'{title} on {where}'
            blocks.append(Details(title, (Text(secondary.notes[0]), _recall_table(title, secondary))))
    if any(len(row.seeds) > 1 for row in table.rows):
        seeds = tuple(
            (row.name, seed, *(f'{cell.values[i]:.2f}' for cell in row.cells))
            for row in table.rows
            for i, seed in enumerate(seed_names(row.seeds))
        )
        each = Table(f'Recall of each seed on {where}', ('config', 'seed', *table.columns), seeds)
        blocks.append(Details(f'Each seed on {where}', (each,)))
    return blocks


def _recall_table(caption: str, table: RecallTable) -> Table:
    """Cells of all rows; what the numbers are called where they are not the standard ones."""
    called = any(row.numbers for row in table.rows)
    rows = tuple(
        (row.name, *([row.numbers] if called else []), *map(_cell, row.cells), ', '.join(seed_names(row.seeds)))
        for row in table.rows
    )
    head = ('config', *(['numbers'] if called else []), *table.columns, 'seeds')
    return Table(caption, head, rows, texts=2 if called else 1)


def _cell(value: MeanAndStd) -> str:
    """A line may break before the ±, not behind it."""
    return f'{value}'.replace('± ', '±\u00a0')
