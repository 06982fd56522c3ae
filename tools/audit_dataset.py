r"""Count duplicate captions and images of data sets, within and across splits and sets.

Example:
    python tools/audit_dataset.py RSICD:data/RSICD RSITMD:data/RSITMD UCMCaptions:data/UCM_captions \
        --json audit.json --exclude-out exclude.json

writes ``exclude_RSICD.json`` and so on, for ``dataset=dict(type='RSICD', exclude_list='exclude_RSICD.json', ...)`` of a
joint training without test images of any of the sets.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

from osdpm_plugin.datasets.annotations.split_conventions import CONVENTIONS
from osdpm_plugin.datasets.text.caption_text import normalise_caption
from osdpm_plugin.errors import ConfigError
from osdpm_plugin.lab.data.auditing import audit, exclusions, read_sets, to_markdown, write_exclude_lists
from osdpm_plugin.lab.data.auditing.near_duplicates import DEFAULT_MAX_DISTANCE
from osdpm_plugin.launch import run_tool
from osdpm_plugin.utils.checks import check_int
from osdpm_plugin.utils.files import write_json

IDENTITIES = {'verbatim': str.strip, 'normalised': normalise_caption}


def parse_args(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    """Command line -> options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('sets', nargs='+', metavar='SET', help='TYPE:ROOT, or a folder or annotation file of own data')
    parser.add_argument('--image-dir', action='append', default=[], metavar='[SET=]DIR', help='relative to the root')
    parser.add_argument('--split-convention', choices=CONVENTIONS, default='official', help='default: %(default)s')
    parser.add_argument('--split-seed', type=int, default=0, help='seed of a cut of train and val (default: 0)')
    parser.add_argument('--split-manifest', action='append', default=[], metavar='[SET=]FILE')
    parser.add_argument('--skip-images', action='store_true', help='look at captions only')
    parser.add_argument(
        '--max-distance',
        type=int,
        default=DEFAULT_MAX_DISTANCE,
        metavar='BITS',
        help='bits of 64 in which near-duplicate images may differ (default: %(default)s)',
    )
    parser.add_argument('--threads', type=int, help='decoding threads (default: the number of cores)')
    parser.add_argument('--json', metavar='OUT', help='also write all numbers and clusters to this file')
    parser.add_argument(
        '--exclude-out', type=Path, metavar='FILE', help='write the images to leave out, a file per set'
    )
    parser.add_argument('--exclude-from', default='train', metavar='SPLIT', help='leave them out of (default: train)')
    parser.add_argument(
        '--protect', nargs='+', default=['val', 'test'], metavar='SPLIT', help='splits to protect (default: val test)'
    )
    parser.add_argument(
        '--captions',
        nargs='?',
        const='verbatim',
        choices=sorted(IDENTITIES),
        help='leave out images that share a caption with a protected split too',
    )
    parser.add_argument(
        '--exclude-list',
        action='append',
        default=[],
        metavar='[SET=]FILE',
        help='audit with these images left out of the split of --exclude-from',
    )
    args = parser.parse_args(argv)
    check_int('', '--split-seed', args.split_seed, least=0, most=2**63 - 1)
    check_int('', '--max-distance', args.max_distance, least=0, most=63)
    if args.threads is not None:
        check_int('', '--threads', args.threads)
    return args


def main(argv: Optional[Sequence[str]] = None) -> None:
    """Read, count, print, and write what was asked for."""
    args = parse_args(argv)
    if args.exclude_out is not None and args.skip_images and args.captions is None:
        raise ConfigError('--exclude-out with --skip-images has nothing to go by; add --captions')
    sets = read_sets(
        args.sets,
        image_dirs=args.image_dir,
        exclude_lists=args.exclude_list,
        exclude_from=args.exclude_from,
        split_manifests=args.split_manifest,
        split_convention=args.split_convention,
        split_seed=args.split_seed,
    )
    result = audit(sets, with_images=not args.skip_images, max_distance=args.max_distance, num_threads=args.threads)
    excluded = []
    if args.exclude_out is not None:
        excluded = exclusions(
            sets,
            exclude_from=args.exclude_from,
            protect=args.protect,
            hashes=result.hashes,
            duplicates=result.duplicates,
            text=None if args.captions is None else IDENTITIES[args.captions],
        )
    print(to_markdown(result.report, excluded))
    if args.json is not None:
        lists = {one.label: one._asdict() for one in excluded}
        write_json(args.json, dict(result.report, exclude=lists), '--json')
    if excluded:
        settings = dict(
            max_distance=None if args.skip_images else args.max_distance,
            captions=args.captions,
            protect=args.protect,
            sets=args.sets,
        )
        for label, path in write_exclude_lists(excluded, args.exclude_out, settings).items():
            print(f'\n{label}: exclude_list={str(path)!r}')


if __name__ == '__main__':
    run_tool(main)
