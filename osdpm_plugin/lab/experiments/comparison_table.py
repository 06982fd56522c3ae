"""Published rows and result files of the same methods -> one table, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Optional

from ...errors import DataError
from ...utils.files import write_text
from .published_tables import PublishedTable
from .schema import read_result
from .tables import RecallRow, RecallTable, average_seeds, digits, lay_out, seed_names, tex

NOTHING = '–'
COLUMNS = ('i2t R@1', 'i2t R@5', 'i2t R@10', 't2i R@1', 't2i R@5', 't2i R@10', 'Rsum', 'mR')
SUFFIXES = dict(markdown='md', csv='csv', latex='tex')


class MethodRow(NamedTuple):
    """One method.

    Attributes:
        name: as papers write it.
        published: percent, one a column; None where nothing was published.
        measured: None where nothing was measured.
    """

    name: str
    published: Optional[list[float]]
    measured: Optional[RecallRow]


class ComparisonTable(NamedTuple):
    """Published beside measured.

    Attributes:
        columns: headings of the numbers.
        rows: one a method.
        notes: sentences for below the table.
    """

    columns: list[str]
    rows: list[MethodRow]
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

    Raises:
        DataError: result files do not belong together, or measure other recalls than were published.
    """
    runs = {method: [(path, read_result(path)) for path in results.get(method, ())] for method in names}
    groups = {group[0][1].config.name: group for group in runs.values() if group}
    measured = average_seeds(groups) if groups else RecallTable(list(COLUMNS), [], [])
    if published is not None and measured.columns != [*published.columns, 'Rsum', 'mR']:
        raise DataError(
            f'{", ".join(measured.columns)} were measured, but {", ".join(published.columns)} published; evaluate with '
            'topk=(1, 5, 10) to compare'
        )
    averaged = iter(measured.rows)
    rows = [
        MethodRow(name, _published_cells(published, method), next(averaged) if runs[method] else None)
        for method, name in names.items()
    ]
    about = [*measured.notes, *notes]
    if published is not None:
        split = next((group[0][1].data.split for group in groups.values()), None)
        about.append(_published_note(published, list(names), split))
    return ComparisonTable(measured.columns, rows, about)


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
        columns = [f'{column} {part}' for column in table.columns for part in ('published', 'mean', 'std')]
        rows = [_csv_cells(row, len(table.columns)) for row in table.rows]
        return lay_out(kind, ['method', *columns, 'seeds'], rows, table.notes)
    both = any(row.published is not None for row in table.rows)
    rows = [cells for row in table.rows for cells in _cells(row, len(table.columns), both)]
    if kind == 'latex':
        rows = [[tex(cell) for cell in cells] for cells in rows]
    head = ['method', *(['numbers'] if both else []), *table.columns, 'seeds']
    return lay_out(kind, head, rows, table.notes, texts=2 if both else 1)


def write_comparison(table: ComparisonTable, folder: Path) -> None:
    """Write ``table.md``, ``table.csv`` and ``table.tex`` into a folder, each whole or not at all.

    Raises:
        ConfigError: a file cannot be written.
    """
    for kind, suffix in SUFFIXES.items():
        write_text(folder / f'table.{suffix}', render_comparison(table, kind) + '\n', 'table')


def _cells(row: MethodRow, width: int, both: bool) -> list[list[str]]:
    """One or two rows of text of a method."""
    cells, seeds = [NOTHING] * width, '0'
    if row.measured is not None:
        cells, seeds = [f'{cell}' for cell in row.measured.cells], str(len(row.measured.seeds))
    if not both:
        return [[row.name, *cells, seeds]]
    if row.published is None:
        return [[row.name, 'measured', *cells, seeds]]
    published = [row.name, 'published', *(f'{value:.2f}' for value in row.published), '']
    return [published, ['', 'measured', *cells, seeds]]


def _csv_cells(row: MethodRow, width: int) -> list[str]:
    published: Sequence[Optional[float]] = row.published or [None] * width
    measured = [(None, None)] * width if row.measured is None else [cell[:2] for cell in row.measured.cells]
    numbers = (
        text
        for value, (mean, std) in zip(published, measured)
        for text in (digits(value, 2), digits(mean), digits(std))
    )
    return [row.name, *numbers, '' if row.measured is None else ' '.join(seed_names(row.measured.seeds))]
