"""Result files -> tables, mean ± standard deviation over seeds, with what they stand on in words.

The one place of their wording and of their Markdown, CSV and LaTeX.
"""

from __future__ import annotations

import argparse
import csv
import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Optional

from ...errors import ConfigError, DataError
from ...utils.files import write_text
from .schema import RunResult, read_result
from .statistics import MeanAndStd, mean_and_std
from .summary import check_alike, check_same_experiment

FORMATS = ('markdown', 'csv', 'latex')
NUMBERS = ('standard', 'content', 'transductive')
LABELS = {
    'standard': '',
    'content': 'Relevance by content: an identical caption of another image counts as a hit; a secondary number.',
    'transductive': 'TRANSDUCTIVE: re-ranked with scores of all other test queries; not comparable to other tables.',
}


class RecallRow(NamedTuple):
    """One config.

    Attributes:
        name: of the config.
        seeds: of its results.
        cells: one a column.
        numbers: what they are called, e.g. 'transductive_dual_softmax'; '' for the standard ones.
    """

    name: str
    seeds: list[Optional[int]]
    cells: list[MeanAndStd]
    numbers: str = ''


class RecallTable(NamedTuple):
    """Rows with their columns and notes.

    Attributes:
        columns: headings of the cells.
        rows: in the order of the files.
        notes: sentences for below the table.
    """

    columns: list[str]
    rows: list[RecallRow]
    notes: list[str]


Results = Sequence[tuple[Path, RunResult]]  # of one config, each with its file


def build_table(paths: Sequence[Path], numbers: str = 'standard') -> RecallTable:
    """Group result files by config and average over seeds.

    Args:
        paths: result files; a config's rows stand where its first file does.
        numbers: 'standard', 'content' or 'transductive', see `osdpm_plugin.evaluation`.

    Raises:
        DataError: a file is not valid, or see `average_seeds`.
        ConfigError: ``numbers`` is unknown.
    """
    groups: dict[str, list[tuple[Path, RunResult]]] = {}
    for path in paths:
        result = read_result(path)
        groups.setdefault(result.config.name, []).append((Path(path), result))
    return average_seeds(groups, numbers)


def average_seeds(
    groups: Mapping[str, Results], numbers: str = 'standard', *, ties: Optional[str] = None
) -> RecallTable:
    """A row for each group of results.

    Args:
        groups: name of a row -> results, one a seed.
        ties: rule for ties of the numbers; that of the results when None.

    Raises:
        DataError: there are no results, or they lack these numbers, are of different data, rule for ties or K, or those
            of one row differ in more than the seed.
        ConfigError: ``numbers`` is unknown.
    """
    if numbers not in NUMBERS:
        raise ConfigError(f'numbers={numbers!r} must be one of {NUMBERS}')
    read = [run for group in groups.values() for run in group]
    if not read:
        raise DataError('there are no result files; name test_results.json files')
    first_path, first = read[0]
    for path, result in read:
        labels, others = (path, first_path), ('config', 'selection rule', 'set of numbers')
        check_alike(result, first, labels=labels, remedy='make one table for each', but=others)
    stems = [f'{way}_R@{k}' for way in ('i2t', 't2i') for k in first.topk] + ['Rsum', 'mR']
    rows = []
    for name, group in groups.items():
        runs = sorted(group, key=lambda run: -1 if run[1].seed is None else run[1].seed)
        check_same_experiment([result for _, result in runs], [path for path, _ in runs])
        values = [_numbers(result, path, numbers, ties) for path, result in runs]
        prefix = next(key[: -len('Rsum')] for key in values[0] if key.endswith('Rsum'))
        cells = [mean_and_std([value[prefix + stem] for value in values]) for stem in stems]
        rows.append(RecallRow(name, [result.seed for _, result in runs], cells, prefix.rstrip('_')))
    return RecallTable([stem.replace('_', ' ') for stem in stems], rows, _notes(groups, rows, first, numbers))


def _numbers(result: RunResult, path: Path, numbers: str, ties: Optional[str]) -> dict[str, float]:
    part = result.metrics if numbers == 'standard' else getattr(result, f'{numbers}_metrics')
    if part is None:
        raise DataError(f'{path} has no {numbers} numbers')
    return part[ties or result.tie_policy]


def _notes(groups: Mapping[str, Results], rows: Sequence[RecallRow], first: RunResult, numbers: str) -> list[str]:
    rules: dict[str, list[str]] = {}
    for name, group in groups.items():
        rules.setdefault(group[0][1].selection, []).append(name)
    chosen = [rule if len(rules) == 1 else f'{rule} ({", ".join(names)})' for rule, names in rules.items()]
    counts = sorted({len(row.seeds) for row in rows})
    data, label = first.data, LABELS[numbers]
    if numbers == 'transductive':
        label += f' Method: {", ".join(sorted({row.numbers for row in rows}))}.'
    return [
        *([label] if label else []),
        f'{data.name}, split {data.split} ({data.images} images, {data.captions} captions, hash {data.sha256[:12]}); '
        'recall in percent, i2t: image to text, t2i: text to image.',
        f'Mean ± standard deviation (ddof 1) over n seeds, n = {", ".join(map(str, counts))}.',
        f'Ties: {first.tie_policy}.',
        f'Checkpoint: {"; ".join(chosen)}.',
        *(['CHOSEN ON TEST: the numbers are optimistic.'] if any('TEST' in rule for rule in rules) else []),
    ]


def render(table: RecallTable, kind: str = 'markdown') -> str:
    """A table as text, without a line break at its end.

    Raises:
        ConfigError: ``kind`` is none of `FORMATS`.
    """
    if kind == 'csv':
        columns = [f'{column} {part}' for column in table.columns for part in ('mean', 'std')]
        rows = [
            [row.name, *(digits(x) for cell in row.cells for x in cell[:2]), ' '.join(seed_names(row.seeds))]
            for row in table.rows
        ]
        return lay_out(kind, ['config', *columns, 'seeds'], rows, table.notes)
    if kind == 'latex':
        rows = [
            [f'\\texttt{{{tex(row.name)}}}', *(f'${cell}$'.replace('±', '\\pm') for cell in row.cells)]
            for row in table.rows
        ]
    else:
        rows = [[f'`{row.name}`', *(f'{cell}' for cell in row.cells)] for row in table.rows]
    rows = [[*cells, str(len(row.seeds))] for cells, row in zip(rows, table.rows)]
    return lay_out(kind, ['config', *table.columns, 'seeds'], rows, table.notes)


def lay_out(
    kind: str, head: Sequence[str], rows: Sequence[Sequence[str]], notes: Sequence[str], *, texts: int = 1
) -> str:
    """Rows of cells with notes as text, without a line break at its end.

    Args:
        kind: one of `FORMATS`.
        head: one a column.
        rows: as wide as ``head``, their cells in the markup of ``kind``.
        notes: sentences for below the table; a column of their own in CSV.
        texts: number of columns from the left that hold text and not numbers.

    Raises:
        ConfigError: ``kind`` is none of `FORMATS`.
    """
    numbers = len(head) - texts
    if kind == 'csv':
        out = io.StringIO()
        csv.writer(out, lineterminator='\n').writerows([[*head, 'notes'], *([*row, ' '.join(notes)] for row in rows)])
        return out.getvalue().rstrip('\n')
    if kind == 'markdown':
        lines = [f'| {" | ".join(row)} |' for row in (head, ['---'] * texts + ['---:'] * numbers, *rows)]
        return '\n'.join([*lines, '', *(f'{note}  ' for note in notes[:-1]), *notes[-1:]])
    if kind == 'latex':
        top, *lines = [' & '.join(row) + ' \\\\' for row in (map(tex, head), *rows)]
        lines = [f'\\begin{{tabular}}{{{"l" * texts}{"r" * numbers}}}', '\\hline', top, '\\hline', *lines, '\\hline']
        return '\n'.join([*lines, '\\end{tabular}', *(f'\\par {tex(note)}' for note in notes)])
    raise ConfigError(f'format={kind!r} must be one of {FORMATS}')


def tex(text: str) -> str:
    """Plain text in LaTeX."""
    return re.sub(r'([_%&#$])', r'\\\1', text).replace('±', '$\\pm$').replace('–', '--')


def digits(value: Optional[float], number: int = 4) -> str:
    """A number for CSV; '' for None."""
    return '' if value is None else f'{value:.{number}f}'


def seed_names(seeds: Sequence[Optional[int]]) -> list[str]:
    """Each seed in words: 'none' for weights without one."""
    return ['none' if seed is None else str(seed) for seed in seeds]


def add_place(parser: argparse.ArgumentParser) -> None:
    """Options ``--format``, ``--into`` and ``--marker`` of the tools that make tables."""
    parser.add_argument('--format', choices=FORMATS, default='markdown', help='to print (default: markdown)')
    parser.add_argument('--into', type=Path, help='Markdown file to write the table into, instead of printing it')
    parser.add_argument('--marker', help='name of the place in that file')


def check_place(args: argparse.Namespace) -> None:
    """Check the options of `add_place` before anything costs time.

    Raises:
        ConfigError: they do not fit together.
    """
    if (args.into is None) != (args.marker is None):
        raise ConfigError('--into and --marker belong together; give both, or none to print the table')
    if args.into is not None and args.format != 'markdown':
        raise ConfigError(f'--into writes Markdown, not {args.format}; leave out one of --into and --format')


def deliver(args: argparse.Namespace, text: str) -> None:
    """Put a table where the options of `add_place` say: into a file, or on the screen.

    Raises:
        ConfigError: see `put_into`.
    """
    if args.into is None:
        print(text)
    else:
        changed = put_into(args.into, args.marker, text)
        print(f'{args.into}: table {args.marker} {"written" if changed else "is up to date"}')


def put_into(path: Path, marker: str, text: str) -> bool:
    """Replace what stands between ``<!-- table:MARKER -->`` and ``<!-- /table:MARKER -->`` in a file. The first may
    also say where its numbers come from, see `pages`.

    Returns:
        Whether the file changed; the same table again leaves it alone.

    Raises:
        ConfigError: the file or its markers are not there, or not exactly once, or it cannot be written.
    """
    if not re.fullmatch(r'[\w.-]+', marker):
        raise ConfigError(f'--marker {marker!r} must be letters, digits and any of _ . -')
    first, end = f'<!-- table:{marker}', f'<!-- /table:{marker} -->'
    try:
        before = path.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f'--into {path} cannot be read: {error}') from error
    found = re.findall(rf'{re.escape(first)}(?:\s[^>]*?)? -->', before)
    begin = found[0] if len(found) == 1 else ''
    if not begin or before.count(end) != 1 or before.index(begin) > before.index(end):
        raise ConfigError(f'{path} must have the lines {first} --> and {end} exactly once, in this order; add them')
    newline = '\r\n' if '\r\n' in before else '\n'
    inner = f'\n{text}\n'.replace('\n', newline)
    after = before[: before.index(begin) + len(begin)] + inner + before[before.index(end) :]
    if after == before:
        return False
    write_text(path, after, '--into')
    return True
