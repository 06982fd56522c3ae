"""Logged scalars of a training -> small charts: loss, learning rate, recall on val."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Optional

from .blocks import Block, Charts, Details, Missing, Section, Table, Text, command
from .chart import Chart, Series, line_chart, number
from .scalars import Curves, Points
from .work_dirs import Experiment

NAMES = {
    'loss': 'Training loss',
    'lr': 'Learning rate',
    'mR': 'mR on val, percent',
    'Rsum': 'Rsum on val, percentage points',
}
WAYS = {'i2t': 'Image to text', 't2i': 'Text to image'}


class _Source(NamedTuple):
    """A logged run, with the style of its experiment and the epoch of its evaluated checkpoint."""

    label: str
    style: int
    curves: Curves
    epoch: Optional[int]

    def points(self, part: str, name: str) -> Points:
        """A curve of ``part``, train or val; empty if it was not logged."""
        return getattr(self.curves, part).get(name, ())


def curve_section(experiments: Sequence[Experiment]) -> Section:
    """Charts of all experiments; the seeds of one share a style."""
    sources = [
        _Source(
            one.name if len(one.runs) == 1 else f'{one.name}, {run.label}',
            style,
            run.curves,
            None if run.result is None else run.result.checkpoint.epoch,
        )
        for style, one in enumerate(experiments)
        for run in one.runs
        if run.curves is not None
    ]
    blocks: list[Block] = []
    if sources:
        styles = {source.style for source in sources}
        legend = tuple(Series(one.name, style) for style, one in enumerate(experiments) if style in styles)
        train = list(dict.fromkeys(name for source in sources for name in source.curves.train))
        val = list(dict.fromkeys(name for source in sources for name in source.curves.val))
        summed = [name for name in val if name.rpartition('/')[2] in ('mR', 'Rsum')]  # models without have others
        main = [('train', 'loss'), ('train', 'lr'), *(('val', name) for name in summed or val)]
        blocks += [Text(_explanation(sources)), Charts(tuple(_charts(main, sources)), legend)]
        for summary, names in (
            ('Recall at each K on val', [('val', name) for name in val if '_R@' in name]),
            ('Parts of the loss', [('train', name) for name in train if name.startswith('loss_')]),
        ):
            if names:
                blocks.append(Details(summary, (Charts(tuple(_charts(names, sources)), legend),)))
        blocks.append(Details('Numbers of the curves', tuple(_tables(main, sources))))
    for one in experiments:
        lacking = [run for run in one.runs if run.curves is None]
        if lacking:
            labels = ', '.join(run.label for run in lacking)
            text = f'{one.name}: no */vis_data/scalars.json of {labels}, so there are no curves.'
            make = command('tools/train.py', lacking[0].config or 'CONFIG', '--work-dir', lacking[0].folder)
            blocks.append(Missing(text, make))
    return Section('training', 'Training', tuple(blocks))


def _title(name: str) -> str:
    stem = name.rpartition('/')[2]
    way, _, recall = stem.partition('_')
    if way in WAYS and recall.startswith('R@'):
        return f'{WAYS[way]} {recall} on val, percent'
    return NAMES.get(stem, stem)


def _charts(names: Sequence[tuple[str, str]], sources: Sequence[_Source]) -> Iterator[Chart]:
    for part, name in names:
        series = []
        for source in sources:
            points = source.points(part, name)
            chosen = [(x, y) for x, y in points if x == source.epoch and part == 'val' and math.isfinite(y)]
            series.append(Series(source.label, source.style, points, next(iter(chosen), None)))
        ident = ''.join(letter if letter.isalnum() else '-' for letter in f'{part}-{name}')
        chart = line_chart(ident, _title(name), _unit(sources), series)
        if chart is not None:
            yield chart


def _unit(sources: Sequence[_Source]) -> str:
    units = {source.curves.unit for source in sources}
    return units.pop() if len(units) == 1 else 'epoch or iteration'


def _explanation(sources: Sequence[_Source]) -> str:
    text = 'One line a seed; seeds of one config share colour and dashes. Loss: mean over the log entries of an epoch.'
    if any(source.epoch is not None for source in sources):
        text += ' A ring marks the epoch of the checkpoint that was evaluated.'
    bad = [
        f'{source.label} ({name})'
        for source in sources
        for part in ('train', 'val')
        for name in ('loss', 'grad_norm')
        if not all(math.isfinite(y) for _, y in source.points(part, name))
    ]
    return f'{text} NOT FINITE somewhere, where lines have gaps: {"; ".join(bad)}.' if bad else text


def _tables(names: Sequence[tuple[str, str]], sources: Sequence[_Source]) -> Iterator[Table]:
    for part, name in names:
        shown = [(source.label, dict(points)) for source in sources if (points := source.points(part, name))]
        if shown:
            places = sorted({x for _, points in shown for x in points})
            rows = [(number(x), *(number(points[x]) if x in points else '' for _, points in shown)) for x in places]
            yield Table(_title(name), (_unit(sources), *(label for label, _ in shown)), tuple(rows))
