"""What training logged -> small charts: loss, learning rate, recall on val."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Optional

from .blocks import Block, Charts, Details, Missing, Section, Table, Text, command
from .chart import Chart, Series, line_chart, number
from .scalars import Points
from .work_dirs import Experiment, Run

NAMES = {
    'loss': 'Training loss',
    'lr': 'Learning rate',
    'mR': 'mR on val, percent',
    'Rsum': 'Rsum on val, percentage points',
}
WAYS = {'i2t': 'Image to text', 't2i': 'Text to image'}


class _Source(NamedTuple):
    """A logged run with the style of its experiment."""

    experiment: Experiment
    run: Run
    style: int

    @property
    def label(self) -> str:
        several = len(self.experiment.runs) > 1
        return f'{self.experiment.name}, {self.run.label}' if several else self.experiment.name


def curve_section(experiments: Sequence[Experiment]) -> Section:
    """Charts of all experiments; the seeds of one share a style."""
    sources = [
        _Source(one, run, style) for style, one in enumerate(experiments) for run in one.runs if run.curves is not None
    ]
    blocks: list[Block] = []
    if sources:
        main = [('train', 'loss'), ('train', 'lr'), *(('val', name) for name in _main_metrics(sources))]
        legend = tuple(Series(one.name, style) for style, one in enumerate(experiments) if _has_curves(one))
        blocks += [Text(_explanation(sources)), Charts(tuple(_charts(main, sources)), legend)]
        recalls = [('val', name) for name in _names(sources, 'val') if '_R@' in name]
        if recalls:
            blocks.append(Details('Recall at each K on val', (Charts(tuple(_charts(recalls, sources)), legend),)))
        parts = [('train', name) for name in _names(sources, 'train') if name.startswith('loss_')]
        if parts:
            blocks.append(Details('Parts of the loss', (Charts(tuple(_charts(parts, sources)), legend),)))
        blocks.append(Details('Numbers of the curves', tuple(_tables(main, sources))))
    for one in experiments:
        lacking = [run for run in one.runs if run.curves is None]
        if lacking:
            blocks.append(
                Missing(
                    f'{one.name}: no */vis_data/scalars.json of {", ".join(run.label for run in lacking)}, so there '
                    'are no curves.',
                    command('tools/train.py', lacking[0].config or 'CONFIG', '--work-dir', lacking[0].folder),
                )
            )
    return Section('training', 'Training', tuple(blocks))


def _has_curves(one: Experiment) -> bool:
    return any(run.curves is not None for run in one.runs)


def _names(sources: Sequence[_Source], part: str) -> list[str]:
    """Names of curves, each once, in the order of the logs."""
    return list(dict.fromkeys(name for source in sources for name in _curves(source, part)))


def _main_metrics(sources: Sequence[_Source]) -> list[str]:
    """mR and Rsum; of models that have none, all that was measured on val."""
    names = _names(sources, 'val')
    return [name for name in names if name.rpartition('/')[2] in ('mR', 'Rsum')] or names


def _curves(source: _Source, part: str) -> dict[str, Points]:
    curves = source.run.curves
    assert curves is not None  # sources have curves
    return curves.train if part == 'train' else curves.val


def _title(name: str) -> str:
    stem = name.rpartition('/')[2]
    way, _, recall = stem.partition('_')
    if way in WAYS and recall.startswith('R@'):
        return f'{WAYS[way]} {recall} on val, percent'
    return NAMES.get(stem, stem)


def _charts(names: Sequence[tuple[str, str]], sources: Sequence[_Source]) -> Iterator[Chart]:
    for part, name in names:
        series = [
            Series(source.label, source.style, points, _chosen(source, points) if part == 'val' else None)
            for source in sources
            if (points := _curves(source, part).get(name))
        ]
        ident = ''.join(letter if letter.isalnum() else '-' for letter in f'{part}-{name}')
        chart = line_chart(ident, _title(name), _unit(sources), series)
        if chart is not None:
            yield chart


def _unit(sources: Sequence[_Source]) -> str:
    units = {source.run.curves.unit for source in sources if source.run.curves is not None}
    return units.pop() if len(units) == 1 else 'epoch or iteration'


def _chosen(source: _Source, points: Points) -> Optional[tuple[float, float]]:
    """The point of the evaluated checkpoint, if it was logged."""
    result = source.run.result
    epoch = None if result is None else result.checkpoint.epoch
    return next(((x, y) for x, y in points if x == epoch and math.isfinite(y)), None)


def _explanation(sources: Sequence[_Source]) -> str:
    text = 'One line a seed; seeds of one config share colour and dashes. Loss: mean over the log entries of an epoch.'
    if any(source.run.result is not None for source in sources):
        text += ' A ring marks the epoch of the checkpoint that was evaluated.'
    bad = [
        f'{source.label} ({name})'
        for source in sources
        for part in ('train', 'val')
        for name, points in _curves(source, part).items()
        if name in ('loss', 'grad_norm') and any(not math.isfinite(y) for _, y in points)
    ]
    return f'{text} NOT FINITE somewhere, where lines have gaps: {"; ".join(bad)}.' if bad else text


def _tables(names: Sequence[tuple[str, str]], sources: Sequence[_Source]) -> Iterator[Table]:
    for part, name in names:
        shown = [(source, dict(points)) for source in sources if (points := _curves(source, part).get(name))]
        if shown:
            places = sorted({x for _, points in shown for x in points})
            rows = tuple(
                (number(x), *(number(points[x]) if x in points else '' for _, points in shown)) for x in places
            )
            yield Table(_title(name), (_unit(sources), *(source.label for source, _ in shown)), rows)
