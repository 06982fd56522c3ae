"""Run a detector of mmdet over a folder of images and write one region file for each, for models with detected regions.

Example:
    python tools/extract_regions.py rtmdet_dota.py rtmdet_dota.pth data/RSITMD/images data/RSITMD/regions
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Optional

from osdpm_plugin.lab.data.region_detection import detect_regions
from osdpm_plugin.launch import run_tool
from osdpm_plugin.utils.checks import check_int, check_number


def parse_args(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    """Command line -> options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config file of the detector')
    parser.add_argument('checkpoint', help='its checkpoint')
    parser.add_argument('images', help='folder of images')
    parser.add_argument('out', help='folder for region files (LoadRegions, folder)')
    parser.add_argument('--num', type=int, default=100, help='regions to keep of each image, the best (default: 100)')
    parser.add_argument('--min-score', type=float, default=0.05, help='least score of a region (default: 0.05)')
    parser.add_argument('--device', default='cpu', help='of the detector (default: cpu)')
    args = parser.parse_args(argv)
    check_int('', '--num', args.num)
    check_number('', '--min-score', args.min_score, least=0, most=1)
    return args


def main(argv: Optional[Sequence[str]] = None) -> None:
    """Run the tool."""
    args = parse_args(argv)
    print(f'{detect_regions(**vars(args))} region files in {args.out}')


if __name__ == '__main__':
    run_tool(main)
