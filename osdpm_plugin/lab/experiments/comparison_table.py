"""Published rows and result files of the same methods -> one table, side by side."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Optional

from ...errors import ConfigError, DataError
from ...utils.files import write_text
from .published_tables import PublishedTable
from .schema import read_result
from .statistics import Spread
from .tables import FORMATS, Row, build_table

NOTHING = '–'
SUFFIXES = dict(markdown='md', csv='csv', latex='tex')


class Line(NamedTuple):
    """One method.

    Attributes:
        name: as papers write it.
        published: percent, one a column; None where nothing was published.
        measured: None where nothing was measured.
    """

    name: str
    published: Optional[list[float]]
    measured: Optional[Row]


class ComparisonTable(NamedTuple):
    """Published beside measured.

    Attributes:
        columns: headings of the numbers.
        lines: one a method.
        notes: sentences for below the table.
    """

    columns: list[str]
    lines: list[Line]
    notes: list[str]


def compare_with_published(
    names: Mapping[str, str],
    results: Mapping[str, Sequence[Path]],
    published: Optional[PublishedTable],
    notes: Sequence[str] = (),
) -> ComparisonTable:
    """Put the published row of each method beside the mean of its result files.

    Args:
        names: method -> what to call it; the rows of the table, in this order.
        results: method -> its result files, one a seed; methods without any may be missing.
        published: of the same set, or None.
        notes: further sentences.

    Raises:
        DataError: result files do not belong together, or measure other recalls than were published.
    """
    paths = [path for method in names for path in results.get(method, ())]
    measured = build_table(paths) if paths else None
    rows = {} if measured is None else {row.name: row for row in measured.rows}
    columns = ['i2t R@1', 'i2t R@5', 'i2t R@10', 't2i R@1', 't2i R@5', 't2i R@10', 'Rsum', 'mR']
    if measured is not None:
        columns = measured.columns
    if published is not None and columns != [*published.columns, 'Rsum', 'mR']:
        raise DataError(
            f'{", ".join(columns)} were measured, but {", ".join(published.columns)} published; evaluate with '
            'topk=(1, 5, 10) to compare'
        )
    lines = []
    for method, name in names.items():
        config = read_result(results[method][0]).config.name if results.get(method) else None
        lines.append(Line(name, _published_cells(published, method), None if config is None else rows[config]))
    about = [] if measured is None else list(measured.notes)
    about += notes
    if published is not None:
        about.append(_published_note(published, list(names), read_result(paths[0]).data.split if paths else None))
    return ComparisonTable(columns, lines, about)


def _published_cells(published: Optional[PublishedTable], method: str) -> Optional[list[float]]:
    if published is None or method not in published.rows:
        return None
    row = published.rows[method]
    return [*row.recalls, row.rsum, row.rsum / len(row.recalls)]


def _published_note(published: PublishedTable, methods: Sequence[str], split: Optional[str]) -> str:
    tables = sorted({published.rows[method].table for method in methods if method in published.rows})
    note = f'Published: {published.source}, {", ".join(tables)}, {published.dataset} split {published.split}'
    if split not in (None, published.split):
        note += f'; measured on split {split}, so compare within published and within measured rows, not across'
    return note + '. mR of published rows is Rsum / 6.'


def render_comparison(table: ComparisonTable, kind: str = 'markdown') -> str:
    """A table as text, without a line break at its end.

    In Markdown and LaTeX a method has a line for what was published and one for what was measured; in CSV both are
    columns.

    Raises:
        ConfigError: ``kind`` is none of `FORMATS`.
    """
    if kind == 'csv':
        return _csv(table)
    if kind not in FORMATS:
        raise ConfigError(f'format={kind!r} must be one of {FORMATS}')
    both = any(line.published is not None for line in table.lines)
    head = ['method', *(['numbers'] if both else []), *table.columns, 'seeds']
    body = [cells for line in table.lines for cells in _cells(line, len(table.columns), both)]
    if kind == 'markdown':
        left = 2 if both else 1
        text = [_markdown(head), _markdown(['---'] * left + ['---:'] * (len(head) - left)), *map(_markdown, body)]
        return '\n'.join([*text, '', *(f'{note}  ' for note in table.notes[:-1]), *table.notes[-1:]])
    text = [f'\\begin{{tabular}}{{{"ll" if both else "l"}{"r" * (len(table.columns) + 1)}}}', '\\hline']
    text += [_latex(head), '\\hline', *map(_latex, body), '\\hline', '\\end{tabular}']
    return '\n'.join([*text, *(f'\\par {_tex(note)}' for note in table.notes)])


def write_comparison(table: ComparisonTable, folder: Path) -> None:
    """Write ``table.md``, ``table.csv`` and ``table.tex`` into a folder, each whole or not at all.

    Raises:
        ConfigError: a file cannot be written.
    """
    for kind, suffix in SUFFIXES.items():
        write_text(folder / f'table.{suffix}', render_comparison(table, kind) + '\n', 'table')


def _cells(line: Line, width: int, both: bool) -> list[list[str]]:
    """One or two rows of text of a method."""
    cells, seeds = [NOTHING] * width, '0'
    if line.measured is not None:
        cells, seeds = [_mean_and_std(cell) for cell in line.measured.cells], str(len(line.measured.seeds))
    if not both:
        return [[line.name, *cells, seeds]]
    if line.published is None:
        return [[line.name, 'measured', *cells, seeds]]
    return [
        [line.name, 'published', *(f'{value:.2f}' for value in line.published), ''],
        ['', 'measured', *cells, seeds],
    ]


def _mean_and_std(cell: Spread) -> str:
    return f'{cell.mean:.2f}' + (f' ± {cell.std:.2f}' if cell.std is not None else '')


def _markdown(cells: Sequence[str]) -> str:
    return '| ' + ' | '.join(cells) + ' |'


def _latex(cells: Sequence[str]) -> str:
    return ' & '.join(map(_tex, cells)) + ' \\\\'


def _tex(text: str) -> str:
    return re.sub(r'([_%&#$])', r'\\\1', text).replace('±', '$\\pm$').replace(NOTHING, '--')


def _csv(table: ComparisonTable) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator='\n')
    parts = [f'{column} {part}' for column in table.columns for part in ('published', 'mean', 'std')]
    writer.writerow(['method', *parts, 'seeds', 'notes'])
    for line in table.lines:
        numbers = []
        for i in range(len(table.columns)):
            mean, std, _ = (None, None, []) if line.measured is None else line.measured.cells[i]
            value = None if line.published is None else line.published[i]
            numbers += [_digits(value, 2), _digits(mean, 4), _digits(std, 4)]
        seeds = ' '.join(map(str, line.measured.seeds)) if line.measured else ''
        writer.writerow([line.name, *numbers, seeds, ' '.join(table.notes)])
    return out.getvalue().rstrip('\n')


def _digits(value: Optional[float], digits: int) -> str:
    return '' if value is None else f'{value:.{digits}f}'
