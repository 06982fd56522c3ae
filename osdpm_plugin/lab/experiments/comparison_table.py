"""Published rows and result files of the same methods -> one table, side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, Optional

from ...errors import DataError
from ...utils.files import write_text
from .published_tables import PublishedTable
from .schema import RunResult, read_result
from .statistics import Difference
from .summary import compare, of_shared_seeds
from .tables import RecallRow, RecallTable, Results, average_seeds, digits, lay_out, seed_names, tex

NOTHING = '–'
COLUMNS = ('i2t R@1', 'i2t R@5', 'i2t R@10', 't2i R@1', 't2i R@5', 't2i R@10', 'Rsum', 'mR')
SPENT = ('passes', 'steps', 'minutes')  # of training, the mean over seeds
LEAD = 'lead of OSDPM'
SUFFIXES = dict(markdown='md', csv='csv', latex='tex')


class MethodRow(NamedTuple):
    """One method.

    Attributes:
        name: as papers write it.
        published: percent, one a column; None where nothing was published.
        measured: None where nothing was measured.
        spent: `SPENT` of the training; None where the results do not say.
        lead: Rsum of OSDPM with the same text tower minus that of this row; None where there is no such pair.
    """

    name: str
    published: Optional[list[float]]
    measured: Optional[RecallRow]
    spent: Optional[list[float]] = None
    lead: Optional[Difference] = None


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
    leaders: Mapping[str, str] = MappingProxyType({}),
) -> ComparisonTable:
    """Put the published row of each method beside the mean of its result files.

    Args:
        names: method -> what to call it; the rows of the table, in this order.
        results: method -> its result files, one a seed; methods without any may be missing.
        leaders: method -> the method whose lead over it is to be shown, with the per-query files of both.

    Raises:
        DataError: result files do not belong together, or measure other recalls than were published; or a per-query
            file is missing.
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
        MethodRow(
            name,
            _published_cells(published, method),
            next(averaged) if runs[method] else None,
            _spent([result for _, result in runs[method]]),
            _lead(runs.get(leaders.get(method, ''), []), runs[method]),
        )
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


def _spent(results: Sequence[RunResult]) -> Optional[list[float]]:
    trainings = [result.training for result in results if result.training is not None]
    if not results or len(trainings) < len(results):
        return None
    return [sum(getattr(training, name) for training in trainings) / len(trainings) for name in SPENT]


def _lead(leader: Results, row: Results) -> Optional[Difference]:
    """Difference of Rsum over the seeds that both have."""
    paths = of_shared_seeds(*([path for path, _ in runs] for runs in (leader, row)))
    return Difference(**compare(*paths)['difference']['Rsum']) if paths[0] else None


def lead_notes(table: ComparisonTable, leaders: Mapping[str, str]) -> Iterator[str]:
    """For each row of OSDPM, how many rows it leads.

    Args:
        leaders: name of a row -> name of the row of OSDPM with the same text tower.
    """
    leads = {row.name: row.lead for row in table.rows if row.lead is not None}
    if leads:
        yield (
            f'{LEAD[0].upper()}{LEAD[1:]}: Rsum of OSDPM with the same text tower minus that of the row, over the '
            'seeds of both, with a 95 % bootstrap interval over seeds and images.'
        )
    for leader in dict.fromkeys(leaders.values()):
        others = [name for name in leads if leaders.get(name) == leader]
        ahead = [name for name in others if leads[name].low > 0]
        rest = [name for name in others if name not in ahead]
        if others:
            yield (
                f'{leader} leads {len(ahead)} of {len(others)} rows with its text tower by an interval above zero'
                f'{f"; not {_and(rest)}" if rest else ""}.'
            )


def _and(names: Sequence[str]) -> str:
    return ' and '.join(filter(None, [', '.join(names[:-1]), names[-1]]))


def _published_note(published: PublishedTable, methods: Sequence[str], split: Optional[str]) -> str:
    tables = sorted({published.rows[method].table for method in methods if method in published.rows})
    note = f'Published: {published.source}, {", ".join(tables)}, {published.dataset} split {published.split}'
    if split not in (None, published.split):
        note += f'; measured on split {split}, so compare within published and within measured rows, not across'
    return note + '. mR of published rows is Rsum / 6.'


def render_comparison(table: ComparisonTable, kind: str = 'markdown') -> str:
    """A table as text, without a line break at its end.

    In Markdown and LaTeX a method has a line for what was published and one for what was measured; in CSV both are
    columns. What training took and the lead of OSDPM are columns where a row has them.

    Raises:
        ConfigError: ``kind`` is none of `FORMATS`.
    """
    spent = SPENT if any(row.spent is not None for row in table.rows) else ()
    lead = (LEAD,) if any(row.lead is not None for row in table.rows) else ()
    if kind == 'csv':
        columns = [f'{column} {part}' for column in table.columns for part in ('published', 'mean', 'std')]
        columns += [*spent, *(f'{name} {part}' for name in lead for part in ('mean', 'low', 'high'))]
        rows = [_csv_cells(row, len(table.columns), bool(spent), bool(lead)) for row in table.rows]
        return lay_out(kind, ['method', *columns, 'seeds'], rows, table.notes)
    both = any(row.published is not None for row in table.rows)
    rows = [cells for row in table.rows for cells in _cells(row, len(table.columns), both, bool(spent), bool(lead))]
    if kind == 'latex':
        rows = [[tex(cell) for cell in cells] for cells in rows]
    head = ['method', *(['numbers'] if both else []), *table.columns, *lead, *spent, 'seeds']
    return lay_out(kind, head, rows, table.notes, texts=2 if both else 1)


def write_comparison(table: ComparisonTable, folder: Path) -> None:
    """Write ``table.md``, ``table.csv`` and ``table.tex`` into a folder, each whole or not at all.

    Raises:
        ConfigError: a file cannot be written.
    """
    for kind, suffix in SUFFIXES.items():
        write_text(folder / f'table.{suffix}', render_comparison(table, kind) + '\n', 'table')


def _cells(row: MethodRow, width: int, both: bool, spent: bool, lead: bool) -> list[list[str]]:
    """One or two rows of text of a method."""
    cells, seeds = [NOTHING] * width, '0'
    if row.measured is not None:
        cells, seeds = [f'{cell}' for cell in row.measured.cells], str(len(row.measured.seeds))
    if lead:
        cells.append('' if row.lead is None else str(row.lead))
    if spent:
        passes, steps, minutes = (None, None, None) if row.spent is None else row.spent
        cells += [digits(passes, 1), digits(steps, 0), digits(minutes, 1)]
    if not both:
        return [[row.name, *cells, seeds]]
    if row.published is None:
        return [[row.name, 'measured', *cells, seeds]]
    published = [f'{value:.2f}' for value in row.published]
    return [[row.name, 'published', *published, *[''] * (len(cells) - width + 1)], ['', 'measured', *cells, seeds]]


def _csv_cells(row: MethodRow, width: int, spent: bool, lead: bool) -> list[str]:
    published: Sequence[Optional[float]] = row.published or [None] * width
    measured = [(None, None)] * width if row.measured is None else [cell[:2] for cell in row.measured.cells]
    numbers = [
        text
        for value, (mean, std) in zip(published, measured)
        for text in (digits(value, 2), digits(mean), digits(std))
    ]
    if spent:
        numbers += [''] * len(SPENT) if row.spent is None else [digits(value, 1) for value in row.spent]
    if lead:
        numbers += [digits(value) for value in (row.lead[:3] if row.lead is not None else [None] * 3)]
    return [row.name, *numbers, '' if row.measured is None else ' '.join(seed_names(row.measured.seeds))]
