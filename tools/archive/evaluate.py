r"""Measure how often a search finds the right places.

Example:
    python tools/archive/evaluate.py archive queries.csv --topk 1 5 10 --out results.json

queries.csv has the columns text, and lon, lat, or west, south, east, north, or scene, row, column, height, width; also
from, to (dates) and scenes (separated by ;) for what is searched. Lines of equal text belong together: each names one
right place. A hit is right if its footprint contains the point, or it shares at least half of the smaller of both with
the box.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from typing import Optional

from osdpm_plugin.archive import Archive
from osdpm_plugin.archive.evaluation import TOPK, evaluate, group_rows
from osdpm_plugin.archive.place_table import read_table
from osdpm_plugin.launch import run_tool
from osdpm_plugin.utils.files import write_json

NAMED = 5  # queries that were not answered


def parse_args(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    """Command line -> options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('archive', metavar='ARCHIVE', help='folder of the archive')
    parser.add_argument('queries', metavar='QUERIES.csv', help='what is asked, and where it is')
    parser.add_argument('--topk', type=int, nargs='+', default=TOPK, metavar='K', help='hits counted (default: 1 5 10)')
    parser.add_argument('--approximate', action='store_true', help='search by the index of the archive')
    parser.add_argument('--out', metavar='FILE.json', help='all numbers')
    parser.add_argument('--config', help='of the model, in place of that of the archive')
    parser.add_argument('--checkpoint', help='of the model, if it is not where it was')
    parser.add_argument('--device', help='e.g. cpu or cuda:1 (default: a GPU if there is one)')
    return parser.parse_args(argv)


def main(argv: Optional[Sequence[str]] = None) -> None:
    """Ask, compare and print."""
    args = parse_args(argv)
    rows = read_table(args.queries)
    with redirect_stdout(sys.stderr):
        archive = Archive.open(args.archive, config=args.config, checkpoint=args.checkpoint, device=args.device)
        results = evaluate(
            archive, group_rows(rows, archive.records(), args.queries), args.topk, exact=not args.approximate
        )
    if args.out is not None:
        write_json(args.out, results.to_json(), '--out')
    print(f'{len(results.queries)} queries for {len(rows)} places in {args.archive}')
    print(results.table())
    missed = [query.text for query, rank in zip(results.queries, results.first_ranks) if rank is None]
    if missed:
        more = f' and {len(missed) - NAMED} more' if len(missed) > NAMED else ''
        print(f'not among {results.topk[-1]} hits: {"; ".join(missed[:NAMED])}{more}')


if __name__ == '__main__':
    run_tool(main)
