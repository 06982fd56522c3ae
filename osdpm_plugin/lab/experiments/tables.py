"""Result files -> a table, mean ± standard deviation over seeds, with what it stands on below it."""

from __future__ import annotations

import argparse
import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Optional

from ...errors import ConfigError, DataError
from ...utils.files import write_text
from .schema import RunResult, read_result
from .statistics import Spread, spread
from .summary import check_same_experiment

FORMATS = ('markdown', 'csv', 'latex')
NUMBERS = ('standard', 'content', 'transductive')
LABELS = {
    'standard': '',
    'content': 'Relevance by content: an identical caption of another image counts as a hit; a secondary number.',
    'transductive': 'TRANSDUCTIVE: re-ranked with scores of all other test queries; not comparable to other tables.',
}


class Row(NamedTuple):
    """One config.

    Attributes:
        name: of the config.
        seeds: of its results.
        cells: one a column.
    """

    name: str
    seeds: list[Optional[int]]
    cells: list[Spread]


class Table(NamedTuple):
    """Rows with their columns and notes.

    Attributes:
        columns: headings of the cells.
        rows: in the order of the files.
        notes: sentences for below the table.
    """

    columns: list[str]
    rows: list[Row]
    notes: list[str]


def build_table(paths: Sequence[Path], numbers: str = 'standard') -> Table:
    """Group result files by config and average over seeds.

    Args:
        paths: result files; a config's rows stand where its first file does.
        numbers: 'standard', 'content' or 'transductive', see `osdpm_plugin.evaluation`.

    Raises:
        DataError: a file is not valid, lacks these numbers, or they are of different data, rule for ties or K, or files
            of one config differ in more than the seed.
        ConfigError: ``numbers`` is unknown.
    """
    if numbers not in NUMBERS:
        raise ConfigError(f'numbers={numbers!r} must be one of {NUMBERS}')
    read = [(Path(path), read_result(path)) for path in paths]
    if not read:
        raise DataError('there are no result files; name test_results.json files')
    (first_path, first), groups = read[0], dict[str, list[tuple[Path, RunResult]]]()
    for path, result in read:
        for what, one, other in (
            ('data', first.data, result.data),
            ('rule for ties', first.tie_policy, result.tie_policy),
            ('topk', first.topk, result.topk),
        ):
            if one != other:
                raise DataError(f'{path} and {first_path} differ in {what}: {other} and {one}; make one table for each')
        groups.setdefault(result.config.name, []).append((path, result))
    stems = [f'{way}_R@{k}' for way in ('i2t', 't2i') for k in first.topk] + ['Rsum', 'mR']
    rows = []
    for name, group in groups.items():
        group.sort(key=lambda item: -1 if item[1].seed is None else item[1].seed)
        check_same_experiment([result for _, result in group], [path for path, _ in group])
        values = [_numbers(result, path, numbers) for path, result in group]
        cells = [spread([value[stem] for value in values]) for stem in stems]
        rows.append(Row(name, [result.seed for _, result in group], cells))
    return Table([stem.replace('_', ' ') for stem in stems], rows, _notes(groups, first, numbers))


def render(table: Table, kind: str = 'markdown') -> str:
    """A table as text, without a line break at its end.

    Raises:
        ConfigError: ``kind`` is none of `FORMATS`.
    """
    if kind == 'csv':
        return _csv(table)
    if kind == 'markdown':
        head = ['config', *table.columns, 'seeds']
        lines = [_line(head), _line(['---'] + ['---:'] * (len(head) - 1))]
        lines += [_line([f'`{row.name}`', *map(_cell, row.cells), str(len(row.seeds))]) for row in table.rows]
        return '\n'.join([*lines, '', *(f'{note}  ' for note in table.notes[:-1]), table.notes[-1]])
    if kind == 'latex':
        lines = [f'\\begin{{tabular}}{{l{"r" * (len(table.columns) + 1)}}}', '\\hline']
        lines += [' & '.join(['config', *map(_tex, table.columns), 'seeds']) + ' \\\\', '\\hline']
        for row in table.rows:
            cells = [f'${_cell(cell)}$'.replace('±', '\\pm') for cell in row.cells]
            lines.append(' & '.join([f'\\texttt{{{_tex(row.name)}}}', *cells, str(len(row.seeds))]) + ' \\\\')
        return '\n'.join([*lines, '\\hline', '\\end{tabular}', *(f'\\par {_tex(note)}' for note in table.notes)])
    raise ConfigError(f'format={kind!r} must be one of {FORMATS}')


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
    """Replace what stands between ``<!-- table:MARKER -->`` and ``<!-- /table:MARKER -->`` in a file.

    Returns:
        Whether the file changed; the same table again leaves it alone.

    Raises:
        ConfigError: the file or its markers are not there, or not exactly once, or it cannot be written.
    """
    if not re.fullmatch(r'[\w.-]+', marker):
        raise ConfigError(f'--marker {marker!r} must be letters, digits and any of _ . -')
    begin, end = f'<!-- table:{marker} -->', f'<!-- /table:{marker} -->'
    try:
        before = path.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f'--into {path} cannot be read: {error}') from error
    if before.count(begin) != 1 or before.count(end) != 1 or before.index(begin) > before.index(end):
        raise ConfigError(f'{path} must have the lines {begin} and {end} exactly once, in this order; add them')
    newline = '\r\n' if '\r\n' in before else '\n'
    inner = f'\n{text}\n'.replace('\n', newline)
    after = before[: before.index(begin) + len(begin)] + inner + before[before.index(end) :]
    if after == before:
        return False
    write_text(path, after, '--into')
    return True


def _numbers(result: RunResult, path: Path, numbers: str) -> dict[str, float]:
    """Numbers under the result's rule for ties, names without prefix."""
    if numbers == 'standard':
        return result.metrics[result.tie_policy]
    part = getattr(result, f'{numbers}_metrics')
    if part is None:
        raise DataError(f'{path} has no {numbers} numbers')
    values = part[result.tie_policy]
    prefix = _prefix(values)
    return {name[len(prefix) :]: value for name, value in values.items()}


def _prefix(values: dict[str, float]) -> str:
    return next(name[: -len('Rsum')] for name in values if name.endswith('Rsum'))


def _notes(groups: dict[str, list[tuple[Path, RunResult]]], first: RunResult, numbers: str) -> list[str]:
    results = [result for group in groups.values() for _, result in group]
    rules: dict[str, list[str]] = {}
    for name, group in groups.items():
        rules.setdefault(group[0][1].selection, []).append(name)
    counts = sorted({len(group) for group in groups.values()})
    data = first.data
    notes = [
        f'{data.name}, split {data.split} ({data.images} images, {data.captions} captions, hash {data.sha256[:12]}); '
        'recall in percent, i2t: image to text, t2i: text to image.',
        f'Mean ± standard deviation (ddof 1) over n seeds, n = {", ".join(map(str, counts))}.',
        f'Ties: {first.tie_policy}.',
        'Checkpoint: '
        + '; '.join(rule if len(rules) == 1 else f'{rule} ({", ".join(names)})' for rule, names in rules.items())
        + '.',
    ]
    if numbers == 'transductive':
        methods = sorted(
            {_prefix(r.transductive_metrics[r.tie_policy])[:-1] for r in results if r.transductive_metrics}
        )
        notes.insert(0, f'{LABELS[numbers]} Method: {", ".join(methods)}.')
    elif LABELS[numbers]:
        notes.insert(0, LABELS[numbers])
    if any('TEST' in rule for rule in rules):
        notes.append('CHOSEN ON TEST: the numbers are optimistic.')
    return notes


def _csv(table: Table) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator='\n')
    writer.writerow(['config', *(f'{c} {part}' for c in table.columns for part in ('mean', 'std')), 'seeds', 'notes'])
    for row in table.rows:
        cells: list[Any] = [x for cell in row.cells for x in (_round(cell.mean), _round(cell.std))]
        seeds = ' '.join('none' if seed is None else str(seed) for seed in row.seeds)
        writer.writerow([row.name, *cells, seeds, ' '.join(table.notes)])
    return out.getvalue().rstrip('\n')


def _round(value: Optional[float]) -> str:
    return '' if value is None else f'{value:.4f}'


def _cell(cell: Spread) -> str:
    return f'{cell.mean:.2f}' + (f' ± {cell.std:.2f}' if cell.std is not None else '')


def _line(cells: Sequence[str]) -> str:
    return '| ' + ' | '.join(cells) + ' |'


def _tex(text: str) -> str:
    return re.sub(r'([_%&#$])', r'\\\1', text).replace('±', '$\\pm$')
