"""Split images into train and val by a convention of the field, and write the lists of files with hashes.

If the annotation file has no splits, all images are split, and there is no test split.

Example:
    python tools/make_split.py data/RSITMD/dataset_RSITMD.json --convention pir_sizes --seed 0 --out rsitmd_0.json

``hvsa`` with one of HVSA's seeds and its ``*_precomp`` folder is its own cut; the lists of SWAN, PIR and HarMA need no
cut: give them to ``split_manifest``.

The manifest then goes into a config: ``dataset=dict(type='RSITMD', split_manifest='rsitmd_0.json', ...)``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

from osdpm_plugin.datasets.annotations.read import read_annotations
from osdpm_plugin.datasets.annotations.split_conventions import CONVENTIONS, apply_convention
from osdpm_plugin.datasets.annotations.split_manifest import make_manifest
from osdpm_plugin.datasets.sets.precomp_captions import read_precomp
from osdpm_plugin.launch import run_tool
from osdpm_plugin.utils.checks import check_int, check_number
from osdpm_plugin.utils.files import write_json


def parse_args(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    """Command line -> options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('ann_file', type=Path, help='annotation file of any known layout, or a *_precomp folder')
    parser.add_argument('--convention', choices=CONVENTIONS, default='official', help='default: %(default)s')
    parser.add_argument('--seed', type=int, default=0, help='seed of the cut (default: %(default)s)')
    parser.add_argument(
        '--val-fraction',
        type=float,
        default=0.1,
        help='share of train that becomes val if the file has none, for the convention official (default: 0.1)',
    )
    parser.add_argument('--out', type=Path, required=True, help='file to write')
    args = parser.parse_args(argv)
    check_int('', '--seed', args.seed, least=0, most=2**63 - 1)
    check_number('', '--val-fraction', args.val_fraction, above=0, below=1)
    return args


def main(argv: Optional[Sequence[str]] = None) -> None:
    """Run the tool."""
    args = parse_args(argv)
    read = read_precomp if args.ann_file.is_dir() else read_annotations
    records = apply_convention(
        read(args.ann_file, blank_captions='drop'),
        convention=args.convention,
        seed=args.seed,
        val_fraction=args.val_fraction,
        source=str(args.ann_file),
    )
    manifest = make_manifest(records, convention=args.convention, seed=args.seed)
    write_json(args.out, manifest, '--out')
    for split, size in manifest['sizes'].items():
        print(f'{split or "(no split)"}: {size} images, sha256 {manifest["sha256"][split]}')
    if 'test' not in manifest['sizes']:
        print('test: none; name the test images in the split column of the annotation file')


if __name__ == '__main__':
    run_tool(main)
