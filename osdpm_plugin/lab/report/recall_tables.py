"""Result files -> recall, mean ± standard deviation over seeds, and what it stands on.

Means and deviations are those of `experiments.summary.summarise_seeds`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional

from ...errors import DataError
from ...evaluation.recall import TIE_POLICIES
from ..experiments.summary import summarise_seeds
from ..experiments.tables import LABELS
from .blocks import Block, Details, Missing, Section, Table, Text, command, count, plus_minus
from .work_dirs import Experiment, best_checkpoint

TIES = {
    'expected': 'equal scores count by the exact expectation over their orders',
    'optimistic': 'equal scores count for the model',
    'pessimistic': 'equal scores count against the model',
}
Summary = tuple[Experiment, dict[str, Any]]


def recall_section(experiments: Sequence[Experiment]) -> Section:
    """Tables of all experiments, one for each data set, split, rule for ties and K.

    Raises:
        DataError: results of one experiment differ in more than the seed.
    """
    blocks: list[Block] = []
    for group in groups_of(experiments):
        blocks += _group_blocks(group)
    blocks += [missing_results(one) for one in experiments if len(one.evaluated) < len(one.runs)]
    return Section('recall', 'Recall', tuple(blocks))


def groups_of(experiments: Sequence[Experiment]) -> list[list[Summary]]:
    """Evaluated experiments with their summaries, those beside each other that can be compared.

    Raises:
        DataError: results of one experiment differ in more than the seed.
    """
    groups: dict[tuple[Any, ...], list[Summary]] = {}
    for one in experiments:
        if one.evaluated:
            first = one.evaluated[0].result
            assert first is not None  # evaluated
            key = (first.data.sha256, first.data.split, first.tie_policy, tuple(first.topk))
            groups.setdefault(key, []).append((one, summarise_seeds(one.result_files)))
    return list(groups.values())


def names_of_recalls(summary: dict[str, Any]) -> list[str]:
    """'i2t_R@1', ... 't2i_R@10', 'Rsum', 'mR': in the order of tables."""
    values = summary['metrics'][summary['tie_policy']]
    recalls = [name for way in ('i2t', 't2i') for name in values if name.startswith(f'{way}_R@')]
    return [*recalls, 'Rsum', 'mR']


def seeds_in_words(seeds: Sequence[Optional[int]]) -> str:
    """'0, 1'; 'none' for weights without a seed."""
    return ', '.join('none' if seed is None else str(seed) for seed in seeds)


def missing_results(one: Experiment) -> Missing:
    """Which runs were not evaluated, and how to do it."""
    left = [run for run in one.runs if run.result is None]
    try:
        checkpoint = str(best_checkpoint(left[0]))
    except DataError:
        checkpoint = 'CHECKPOINT'
    return Missing(
        f'{one.name}: no test_results.json of {", ".join(run.label for run in left)}, so recall on the test split is '
        'not known.',
        command('tools/test.py', left[0].config or 'CONFIG', checkpoint, '--work-dir', left[0].folder),
    )


def _group_blocks(group: Sequence[Summary]) -> list[Block]:
    summary = group[0][1]
    data, ties = summary['data'], summary['tie_policy']
    names = names_of_recalls(summary)
    where = f'{data["name"]}, split {data["split"]}'
    text = (
        f'{where}: {count(data["images"], "image")}, {count(data["captions"], "caption")}. Recall in percent; i2t: '
        f'image to text, t2i: text to image. Rule for ties: {ties}, {TIES[ties]}. '
    )
    several = any(len(one['seeds']) > 1 for _, one in group)
    text += (
        'Mean ± standard deviation (ddof 1) over seeds; of one seed, its number alone.'
        if several
        else 'One seed each, so no deviation is known.'
    )
    rules: dict[str, list[str]] = {}
    for experiment, one in group:
        rules.setdefault(one['selection'], []).append(experiment.name)
    said = (rule if len(rules) == 1 else f'{rule} ({", ".join(users)})' for rule, users in rules.items())
    text += f' Checkpoint: {"; ".join(said)}.'
    if any('TEST' in rule for rule in rules):
        text += ' CHOSEN ON TEST: those numbers are optimistic.'
    blocks: list[Block] = [
        Text(text),
        Table(
            f'Recall on {where}',
            ('config', *(name.replace('_', ' ') for name in names), 'seeds'),
            tuple(
                (
                    experiment.name,
                    *(_cell(one['metrics'][ties][name]) for name in names),
                    seeds_in_words(one['seeds']),
                )
                for experiment, one in group
            ),
        ),
        Details(f'What the rule for ties is worth on {where}', (_ties_table(group, where),)),
    ]
    blocks += [
        Details(f'{title} on {where}', (Text(LABELS[kind]), table))
        for kind, title in (('content', 'Relevance by content'), ('transductive', 'Re-ranked, transductive'))
        for table in _secondary_tables(group, kind, title, where)
    ]
    if several:
        blocks.append(Details(f'Each seed on {where}', (_seed_table(group, names, where),)))
    return blocks


def _ties_table(group: Sequence[Summary], where: str) -> Table:
    parts = [(name, rule) for name in ('Rsum', 'mR') for rule in TIE_POLICIES]
    return Table(
        f'Rsum and mR under each rule for ties on {where}',
        ('config', *(f'{name} {rule}' for name, rule in parts)),
        tuple(
            (experiment.name, *(_cell(one['metrics'][rule][name]) for name, rule in parts)) for experiment, one in group
        ),
    )


def _secondary_tables(group: Sequence[Summary], kind: str, title: str, where: str) -> list[Table]:
    """The table of numbers whose names begin with ``kind``, or none."""
    rows: list[tuple[str, ...]] = []
    head: tuple[str, ...] = ()
    for experiment, one in group:
        values = one['metrics'][one['tie_policy']]
        stem = next((name[: -len('Rsum')] for name in values if name.startswith(kind) and name.endswith('Rsum')), None)
        if stem is not None:
            names = names_of_recalls(one)
            head = ('config', 'numbers', *(name.replace('_', ' ') for name in names))
            rows.append((experiment.name, stem.rstrip('_'), *(_cell(values[stem + name]) for name in names)))
    return [Table(f'{title} on {where}', head, tuple(rows), texts=2)] if rows else []


def _seed_table(group: Sequence[Summary], names: Sequence[str], where: str) -> Table:
    rows = tuple(
        (experiment.name, str(seed), *(f'{one["metrics"][one["tie_policy"]][name]["values"][i]:.2f}' for name in names))
        for experiment, one in group
        for i, seed in enumerate(one['seeds'])
    )
    head = ('config', 'seed', *(name.replace('_', ' ') for name in names))
    return Table(f'Recall of each seed on {where}', head, rows)


def _cell(value: dict[str, Any]) -> str:
    return plus_minus(value['mean'], value['std'])
