"""Count the objects that the captions of an annotation file name.

Example:
    python tools/object_stats.py data/RSICD/dataset_rsicd.json --split train --json objects.json
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

from osdpm_plugin.datasets.annotations.read import read_annotations
from osdpm_plugin.datasets.lexicon import Lexicon
from osdpm_plugin.datasets.sets.precomp_captions import read_precomp
from osdpm_plugin.errors import DataError
from osdpm_plugin.lab.data.object_statistics import format_statistics, object_statistics
from osdpm_plugin.launch import run_tool
from osdpm_plugin.utils.checks import check_int
from osdpm_plugin.utils.files import write_json


def parse_args(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    """Command line -> options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('ann_file', type=Path, help='annotation file of any known layout, or a *_precomp folder')
    parser.add_argument(
        '--split',
        default='train',
        help="split to count; priors must be counted on train (default); '' counts a file without splits",
    )
    parser.add_argument('--lexicon', type=Path, help='lexicon file (JSON); default: the shipped lexicon')
    parser.add_argument('--top', type=int, default=30, help='rows of each table (default: 30)')
    parser.add_argument('--json', type=Path, metavar='OUT', help='also write all numbers to this file')
    args = parser.parse_args(argv)
    check_int('', '--top', args.top)
    return args


def main(argv: Optional[Sequence[str]] = None) -> None:
    """Count, print, and write the numbers if asked for."""
    args = parse_args(argv)
    lexicon = Lexicon.default() if args.lexicon is None else Lexicon.from_file(args.lexicon)
    read = read_precomp if args.ann_file.is_dir() else read_annotations
    records = read(args.ann_file, blank_captions='drop')
    captions = [record.captions for record in records if record.split == args.split]
    if not captions:
        splits = ', '.join(sorted({repr(record.split) for record in records}))
        remedy = "it names no splits: give --split ''" if splits == "''" else f'choose --split from {splits}'
        raise DataError(f'annotation file {args.ann_file} has no image in the split {args.split!r}; {remedy}')
    statistics = object_statistics(captions, lexicon)
    print(format_statistics(statistics, top=args.top))
    if args.json is not None:
        source = dict(ann_file=str(args.ann_file), split=args.split, lexicon_digest=lexicon.digest)
        write_json(args.json, {**source, **statistics.as_dict()}, '--json')


if __name__ == '__main__':
    run_tool(main)
