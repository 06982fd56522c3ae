"""Options that the commands of an archive share, and what they print."""

from __future__ import annotations

import argparse
import csv
import os
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Callable, Mapping, Optional, Sequence

import shapely

from ..errors import ConfigError, DataError
from ..launch.launchers import LAUNCHERS
from ..utils.checks import check_int
from .areas import read_polygons
from .building import BuildReport
from .folder import ArchiveFolder
from .hits import Hit
from .moments import parse_moment
from .questions import Question
from .records import SceneRecord
from .scene_names import find_scene
from .upkeep import Contents

NAMED = 10  # scenes of a kind that are named
QUERY_COLUMNS = dict(text='text', image='image', like='like', unlike='not')  # argument of Question -> column


# ---- building


def add_compute_arguments(parser: argparse.ArgumentParser) -> None:
    """How tiles are embedded, and by how many processes."""
    compute = parser.add_argument_group('computing')
    compute.add_argument('--batch-size', type=int, default=32, help='tiles in a step (default: %(default)s)')
    compute.add_argument('--device', help='e.g. cpu or cuda:1 (default: a GPU if there is one)')
    compute.add_argument(
        '--launcher', choices=['none', 'pytorch', 'slurm'], default='none', help='of several processes'
    )
    compute.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)


def compute_options(args: argparse.Namespace) -> dict[str, Any]:
    """Arguments of `run_build`: rank and number of processes as the launcher says, one GPU a process."""
    check_int('', '--batch-size', args.batch_size)
    options: dict[str, Any] = dict(batch_size=args.batch_size, device=args.device, rank=0, world_size=1, job=None)
    if args.launcher != 'none':
        launcher = LAUNCHERS[args.launcher]
        rank, size = (os.environ.get(name, '') for name in (launcher.marker, launcher.size))
        if not rank.isdigit() or not size.isdigit():
            raise ConfigError(f'--launcher {args.launcher}: {launcher.marker} is not set; start with {launcher.start}')
        job = os.environ.get('OSDPM_ARCHIVE_JOB') or f'{args.launcher} job {os.environ.get("SLURM_JOB_ID", "")}'.strip()
        options.update(rank=int(rank), world_size=int(size), job=job, show_progress=int(rank) == 0)
        if args.device is None:
            options['device'] = _own_gpu()
    return options


def _own_gpu() -> Optional[str]:
    import torch

    count = torch.cuda.device_count()
    local = int(os.environ.get('LOCAL_RANK') or os.environ.get('SLURM_LOCALID') or 0)
    return f'cuda:{local % count}' if count else None


def print_report(report: BuildReport, out: Path, *, rank: int) -> None:
    """What a build did, and what it left out and why; of other processes than the first, what they added to it."""
    plan = report.plan
    unchanged = len(plan.records) - len(plan.new) - len(plan.changed) - len(plan.renamed)
    speed = f', {report.tiles / report.seconds:.1f} tiles/s' if report.tiles else ''
    if rank:
        print(f'{out}: rank {rank} made {report.tiles} tiles{speed}')
        return
    print(
        f'{out}: {len(plan.new)} new scenes, {len(plan.changed)} changed, {unchanged} unchanged; '
        f'{report.tiles} tiles in {timedelta(seconds=round(report.seconds))}{speed}'
    )
    if plan.renamed:
        print(f'{len(plan.renamed)} scenes have another date or other attributes than before')
    if report.empty:
        print(f'{report.empty} tiles were left out since they hold too little data')
    _name('scenes were left out', [f'{failure.address}: {failure.reason}' for failure in report.failures])
    if report.pruned:
        _name('scenes are gone and were removed', report.pruned)
    else:
        _name('scenes are gone; remove them from the archive with --prune', plan.vanished)


def _name(what: str, names: Sequence[str]) -> None:
    if names:
        print(f'{len(names)} {what}:', file=sys.stderr)
        for name in names[:NAMED]:
            print(f'  {name}', file=sys.stderr)
        if len(names) > NAMED:
            print(f'  and {len(names) - NAMED} more', file=sys.stderr)


def describe(folder: ArchiveFolder, contents: Contents, *, scenes: bool) -> str:
    """What is in an archive, in lines."""
    maker = contents.maker
    grid = maker['grid']
    side = f'{grid["tile"]} pixels' if grid['tile'] else f'{grid["metres"]:g} metres'
    stored = 'not there; make it: manage.py rebuild' if contents.stored is None else f'{contents.stored} tiles'
    lines = [
        f'{folder}: {contents.scenes} scenes, {contents.rows} tiles of {side}, {contents.nbytes / 1e6:.1f} MB',
        f'store: {stored}',
        f'model: {maker["model"]}, {maker["dims"]} values a tile, {maker["precision"]}',
    ]
    if contents.first:
        lines.append(f'dates: {contents.first} to {contents.last}')
    for name, values in sorted(contents.attributes.items()):
        shown = ', '.join(f'{value} ({count})' for value, count in sorted(values.items())[:NAMED])
        lines.append(f'{name}: {shown}' + (', ...' if len(values) > NAMED else ''))
    if contents.missing:
        lines.append(
            f'{len(contents.missing)} scenes are incomplete; build again: {", ".join(contents.missing[:NAMED])}'
        )
    if scenes:
        lines += [f'{record.scene}  {record.source}' for record in folder.records().values()]
    return '\n'.join(lines)


# ---- asking


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Where the model of an archive is, if it is not where it was."""
    model = parser.add_argument_group('model')
    model.add_argument('--checkpoint', help='of the model, if it is not where it was')
    model.add_argument('--device', help='e.g. cpu or cuda:1 (default: a GPU if there is one)')


def model_options(args: argparse.Namespace) -> dict[str, Any]:
    """Arguments of `Archive.open`."""
    return dict(checkpoint=args.checkpoint, device=args.device)


def condition_arguments(parser: argparse.ArgumentParser) -> None:
    """Where, when and what hits may be."""
    where = parser.add_argument_group('conditions')
    place = where.add_mutually_exclusive_group()
    place.add_argument('--bbox', nargs=4, type=float, metavar=('W', 'S', 'E', 'N'), help='degrees; W > E: across 180')
    place.add_argument('--within', metavar='FILE.geojson', help='polygons')
    where.add_argument('--from', dest='start', metavar='DATE', help='e.g. 2024, 2024-03, 2024-03-01 or with a time')
    where.add_argument('--to', dest='end', metavar='DATE', help='to the end of that year, month or day')
    where.add_argument(
        '--where', action='append', default=[], metavar='NAME=VALUE', help='attribute; repeated, one of its values'
    )
    where.add_argument(
        '--scene',
        dest='scenes',
        action='append',
        metavar='SCENE',
        help='id, file name or address; repeated, one of them',
    )


def conditions_of(args: argparse.Namespace, records: Callable[[], Mapping[str, SceneRecord]]) -> dict[str, Any]:
    """Arguments of `Archive.search_many`.

    Args:
        args: the command line.
        records: reads the records of the archive, by id.

    Raises:
        ConfigError: a date or an attribute that is none, or a scene that the archive has not.
        DataError: the file of polygons cannot be read.
    """
    where: dict[str, list[str]] = {}
    for pair in args.where:
        name, equals, value = pair.partition('=')
        if not equals or not name:
            raise ConfigError(f'--where {pair!r} is no NAME=VALUE; write e.g. --where sensor=GF-2')
        where.setdefault(name, []).append(value)
    known = {} if args.scenes is None else records()
    return dict(
        bbox=None if args.bbox is None else tuple(args.bbox),
        within=None if args.within is None else shapely.union_all(read_polygons(args.within)),
        start=_moment(args.start, '--from'),
        end=_moment(args.end, '--to', last=True),
        where=where,
        scenes=None if args.scenes is None else [find_scene(known, name) for name in args.scenes],
    )


def _moment(text: Optional[str], option: str, *, last: bool = False) -> Optional[datetime]:
    try:
        return None if text is None else parse_moment(text, last=last)
    except ConfigError as error:
        raise ConfigError(f'{option} {error}') from error


def questions_of(args: argparse.Namespace) -> list[Question]:
    """What is asked on the command line, or by a table, each question once.

    Raises:
        ConfigError: nothing is asked, or both ways at once.
        DataError: the table cannot be read.
    """
    weights = dict(text_weight=args.text_weight, image_weight=args.image_weight)
    direct = {name: getattr(args, name) for name in QUERY_COLUMNS if getattr(args, name) is not None}
    if args.queries is None:
        return [Question(**direct, **weights)]
    if direct:
        raise ConfigError('ask on the command line or by --queries, not both')
    try:
        with open(args.queries, encoding='utf-8-sig', newline='') as file:
            reader = csv.DictReader(file)
            if not {*QUERY_COLUMNS.values()} & {*(reader.fieldnames or ())}:
                raise DataError(f'{args.queries} has none of the columns {", ".join(QUERY_COLUMNS.values())}; add text')
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f'{args.queries} cannot be read ({error})') from error
    questions = []
    for line, row in enumerate(rows, start=2):
        given: dict[str, Any] = {name: row[column] for name, column in QUERY_COLUMNS.items() if row.get(column)}
        try:
            questions.append(Question(**given, **weights))
        except ConfigError as error:
            raise DataError(f'{args.queries}, line {line}: {error}') from error
    if not questions:
        raise DataError(f'{args.queries} has no queries; write one a line')
    return list(dict.fromkeys(questions))


def line_of(hit: Hit) -> str:
    """A hit in one line."""
    row, column = hit.window[:2]
    place = f'column {column}, row {row}' if hit.lon is None else f'{hit.lon:.5f}, {hit.lat:.5f}'
    date = '-' if hit.datetime is None else f'{hit.datetime:%Y-%m-%d}'
    return f'{hit.rank:4d}  {hit.score:7.4f}  {place:>22}  {date:>10}  {hit.tile}'
