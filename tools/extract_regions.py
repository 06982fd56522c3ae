"""Run a detector of mmdet over a folder of images and write one region file for each, for models with detected regions.

Example:
    python tools/extract_regions.py rtmdet_dota.py rtmdet_dota.pth data/RSITMD/images data/RSITMD/regions
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Optional

from osdpm_plugin.errors import OSDPMError
from osdpm_plugin.lab.data.region_detection import detect_regions


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
    if args.num < 1 or not 0 <= args.min_score <= 1:
        parser.error(f'--num must be at least 1 and --min-score in 0..1, got {args.num} and {args.min_score}')
    return args


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Return the exit code: 0, or 2 after one sentence on what the user can put right."""
    args = parse_args(argv)
    try:
        count = detect_regions(
            args.config,
            args.checkpoint,
            args.images,
            args.out,
            num=args.num,
            min_score=args.min_score,
            device=args.device,
        )
    except OSDPMError as error:
        print(f'extract_regions: {error}', file=sys.stderr)
        return 2
    print(f'{count} region files in {args.out}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
