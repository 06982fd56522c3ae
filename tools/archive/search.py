r"""Search an archive in words, by an image, or by one of its tiles.

Examples:
    python tools/archive/search.py archive "two planes beside a terminal"
    python tools/archive/search.py archive "a harbour" --not "clouds" --bbox 113 22 114 23 --from 2024-03 --to 2024-05 \
        --where sensor=GF-2 --topk 20 --out hits.gpkg --out hits.png
    python tools/archive/search.py archive --image ship.png --by-scene
    python tools/archive/search.py archive --queries questions.csv --out hits.csv

prints rank, score, place (longitude, latitude; otherwise column, row), date and id of each tile.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from typing import Optional

from osdpm_plugin.archive import Archive
from osdpm_plugin.archive.archive import OVERLAP
from osdpm_plugin.archive.command_line import (
    add_model_arguments,
    condition_arguments,
    conditions_of,
    line_of,
    model_options,
    questions_of,
)
from osdpm_plugin.archive.outputs import check_output, write_hits
from osdpm_plugin.launch import run_tool


def parse_args(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    """Command line -> options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('archive', metavar='ARCHIVE', help='folder of the archive')
    asked = parser.add_argument_group('what is asked; several are added')
    asked.add_argument('text', nargs='?', metavar='TEXT', help='in words')
    asked.add_argument('--image', metavar='FILE', help='like this image')
    asked.add_argument('--like', metavar='TILE', help='like this tile of the archive')
    asked.add_argument('--not', dest='unlike', metavar='TEXT', help='and unlike these words')
    asked.add_argument('--text-weight', type=float, default=1.0, metavar='W', help='(default: %(default)s)')
    asked.add_argument('--image-weight', type=float, default=1.0, metavar='W', help='(default: %(default)s)')
    asked.add_argument(
        '--queries', metavar='FILE.csv', help='several queries, with the columns text, image, like, not instead'
    )
    condition_arguments(parser)
    hits = parser.add_argument_group('hits')
    hits.add_argument('--topk', type=int, default=10, help='hits a query (default: %(default)s)')
    hits.add_argument('--min-score', type=float, metavar='SCORE', help='least score')
    hits.add_argument('--by-scene', action='store_true', help='the best hit of each scene alone')
    hits.add_argument(
        '--overlap',
        type=float,
        default=OVERLAP,
        metavar='SHARE',
        help='of two tiles that share more, one is a hit (default: %(default)s)',
    )
    how = hits.add_mutually_exclusive_group()
    how.add_argument('--exact', action='store_true', default=True, help='look at every tile (default)')
    how.add_argument('--approximate', action='store_false', dest='exact', help='by the index, which may miss some')
    hits.add_argument(
        '--out',
        action='append',
        default=[],
        metavar='FILE',
        help='.geojson, .gpkg, .parquet, .csv, .json (STAC items) or .png (the tiles); repeatable',
    )
    add_model_arguments(parser)
    return parser.parse_args(argv)


def main(argv: Optional[Sequence[str]] = None) -> None:
    """Search, print and write."""
    args = parse_args(argv)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors='backslashreplace')
    for out in args.out:
        check_output(out)
    with redirect_stdout(sys.stderr):  # standard output is for answers
        questions = questions_of(args)
        archive = Archive.open(args.archive, **model_options(args))
        results = archive.search_many(
            questions,
            topk=args.topk,
            min_score=args.min_score,
            exact=args.exact,
            overlap=args.overlap,
            by_scene=args.by_scene,
            **conditions_of(args, archive.records),
        )
    for hits in results:
        print(hits.query)
        for hit in hits:
            print(line_of(hit))
        if not hits:
            print('  nothing' + ('' if args.min_score is None else f' with a score of {args.min_score:g} or more'))
    if not args.exact:
        print(f'approximate: {archive.index_note()}', file=sys.stderr)
    for out in args.out:
        with redirect_stdout(sys.stderr):
            write_hits(results, out, archive=archive)
        print(f'Hits: {out}', file=sys.stderr)


if __name__ == '__main__':
    run_tool(main)
