"""A page with places for tables, and the result files that they name -> the same page with its tables made again.

A place says where its numbers come from::

    <!-- table:ucm from results/osdpm_ucm results/ablations/ucm_* -->         recall, a row for each folder
    <!-- table:peers published ucm resnet50 -->                               the table of `tools/reproduce_table.py`
    <!-- table:gains minus results/osdpm_ucm results/ablations/ucm_plain -->  paired differences, pairs parted by ;

and ends with ``<!-- /table:ucm -->``. Folders are relative to the page and hold ``seed_<n>.json`` with their per-query
files, see `keep`. What has no result files is left out, and a table without any is the line `NOTHING_YET`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from ...errors import ConfigError
from .comparison import make_table
from .comparison_setting import CONFIG_NAMES, METHOD_NAMES, PAIRS, Setting
from .comparison_table import render_comparison
from .schema import read_result
from .statistics import Difference
from .summary import compare, of_shared_seeds
from .tables import build_table, lay_out, put_into, render

PLACE = re.compile(r'<!-- table:([\w.-]+) (from|published|minus)\s+([^>]+?) -->')
NOTHING_YET = '*Not measured yet.*'
RESULTS = 'results'


def update_page(page: Path) -> dict[str, bool]:
    """Make all tables of a page again.

    Returns:
        Name of each place -> whether there are result files for it.

    Raises:
        ConfigError: the page cannot be read or written, a place has no end or names something unknown.
        DataError: a result file is not valid, or those of one table do not belong together.
    """
    try:
        text = page.read_text(encoding='utf-8')
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f'{page} cannot be read: {error}; name a Markdown file') from error
    makers = dict(published=_published, minus=_differences, **{'from': _recall})
    tables = {name: makers[kind](page.parent, source.split()) for name, kind, source in PLACE.findall(text)}
    for name, table in tables.items():
        put_into(page, name, table or NOTHING_YET)
    return {name: bool(table) for name, table in tables.items()}


def result_files(folder: Path, pattern: str) -> list[Path]:
    """The result files of all folders that a pattern stands for, folder after folder, in the order of their seeds."""
    files = folder.glob(f'{pattern}/seed_*.json')
    return sorted(files, key=lambda path: (path.parent, int(path.stem.partition('_')[2])))


def _recall(folder: Path, source: Sequence[str]) -> str:
    paths = [path for pattern in source for path in result_files(folder, pattern)]
    if not paths:
        return ''
    table = build_table(paths)
    return render(table._replace(notes=[*table.notes, _origin(folder, paths)]))


def _published(folder: Path, source: Sequence[str]) -> str:
    if len(source) != 2 or source[0] not in CONFIG_NAMES.get(source[1], {}):
        raise ConfigError(f'published {" ".join(source)} must be a set and a tower of tools/reproduce_table.py')
    dataset, tower = source
    methods = [method for method in METHOD_NAMES if tower == 'resnet50' or method not in PAIRS]
    setting = Setting(dataset, tower, tuple(methods), (0,), '', folder, cache='cache')
    found = {}
    for method in methods:
        name = Path(os.path.relpath(setting.config(method), folder)).with_suffix('').as_posix()
        found[method] = result_files(folder, f'{RESULTS}/{name}')
    measured = {method: paths for method, paths in found.items() if paths}
    if not measured:
        return ''
    table = make_table(setting._replace(methods=tuple(measured)), measured)
    origin = _origin(folder, [path for paths in measured.values() for path in paths])
    return render_comparison(table._replace(notes=[*table.notes, origin]))


def _differences(folder: Path, source: Sequence[str]) -> str:
    pairs = [pair.split() for pair in ' '.join(source).split(';')]
    if any(len(pair) != 2 for pair in pairs):
        raise ConfigError(f'minus {" ".join(source)} must be pairs of folders, with ; between them')
    rows, used = [], []
    for pair in pairs:
        paths = of_shared_seeds(*(result_files(folder, name) for name in pair))
        if not paths[0]:
            continue
        found = compare(*paths)
        used += [path for part in paths for path in part]
        names = ' minus '.join(f'`{found[key]["name"]}`' for key in ('first', 'second'))
        numbers = (str(Difference(**found['difference'][name])) for name in ('Rsum', 'mR'))
        rows.append([names, f'{found["data"]["name"]}, {found["data"]["split"]}', *numbers, str(len(paths[0]))])
    if not rows:
        return ''
    notes = [
        'Percentage points with 95 % intervals, by a paired bootstrap over seeds and images: each resample draws '
        'seeds, and images with their captions, for both configs alike. Of one seed, it is of the images alone.',
        _origin(folder, used),
    ]
    return lay_out('markdown', ['difference', 'set and split', 'Rsum', 'mR', 'seeds'], rows, notes, texts=2)


def _origin(folder: Path, paths: Iterable[Path]) -> str:
    """Where the result files lie, and the commits that they are of."""
    results = {path: read_result(path) for path in paths}
    places = ', '.join(dict.fromkeys(f'`{Path(os.path.relpath(path.parent, folder)).as_posix()}`' for path in results))
    commits = sorted({'not known' if r.git is None else r.git.commit[:12] for r in results.values()})
    return f'Result files: {places}; commit {", ".join(commits)}.'
