r"""Make an archive of scenes that can be searched, or bring one up to date.

Examples:
    python tools/archive/build.py scenes/ --config zero_shot/remoteclip_vitb32 --out archive
    python tools/archive/build.py 'scenes/**/*.tif' catalog.json --config osdpm_ucm --checkpoint best.pth \
        --tile-metres 120 --attributes scenes.csv --out archive
    bash tools/dist_archive.sh 8 scenes/ --config osdpm_ucm --checkpoint best.pth --out archive

An interrupted build goes on when it is started again; scenes that have not changed cost nothing.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Optional

from osdpm_plugin.archive.api import build_archive
from osdpm_plugin.archive.command_line import add_compute_arguments, compute_options, print_report
from osdpm_plugin.archive.grid import TileGrid
from osdpm_plugin.launch import Overrides, load_config, run_tool
from osdpm_plugin.search import find_config


def parse_args(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    """Command line -> options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        'scenes',
        nargs='+',
        metavar='SCENES',
        help='raster files, folders, globs, a .txt list, STAC .json files, http(s) addresses',
    )
    parser.add_argument('--config', required=True, help='config file, or the name of a shipped config')
    parser.add_argument('--checkpoint', help='checkpoint that was trained with it; none for zero-shot configs')
    parser.add_argument('--out', required=True, metavar='ARCHIVE', help='folder of the archive')
    tiles = parser.add_argument_group('tiles')
    tiles.add_argument('--tile', type=int, metavar='PIXELS', help='side of a tile (default: 224)')
    tiles.add_argument('--stride', type=int, metavar='PIXELS', help='from a tile to the next (default: half a tile)')
    tiles.add_argument('--tile-metres', type=float, metavar='M', help='side of a tile on the ground instead')
    tiles.add_argument('--stride-metres', type=float, metavar='M', help='(default: half a tile)')
    tiles.add_argument(
        '--max-nodata', type=float, default=0.5, metavar='SHARE', help='skip emptier tiles (default: %(default)s)'
    )
    pixels = parser.add_argument_group('pixels (default: as the test pipeline of the config loads images)')
    pixels.add_argument('--bands', type=int, nargs=3, metavar=('R', 'G', 'B'), help='positions, from 0')
    pixels.add_argument('--stretch', choices=['percentile', 'minmax', 'none'], help='of a scene that is not 8-bit')
    pixels.add_argument('--nodata', type=float, metavar='VALUE', help='stands for no data, besides what files say')
    pixels.add_argument(
        '--mask', metavar='PATTERN', help="mask files, not 0 where pixels are unusable: '{stem}_cloud.tif'"
    )
    facts = parser.add_argument_group('what is known of scenes')
    facts.add_argument('--attributes', metavar='FILE.csv', help='columns scene, datetime, and any others')
    facts.add_argument('--date-pattern', metavar='PATTERN', help='date in file names, e.g. %%Y%%m%%d')
    facts.add_argument('--assume-crs', metavar='EPSG:CODE', help='of files that have coordinates but name no CRS')
    parser.add_argument('--prune', action='store_true', help='remove scenes whose files are gone')
    add_compute_arguments(parser)
    parser.add_argument('--cfg-options', nargs='+', action=Overrides, default={}, help='override values of the config')
    args = parser.parse_args(argv)
    if args.tile is None and args.tile_metres is None:
        args.tile = 224
    return args


def main(argv: Optional[Sequence[str]] = None) -> None:
    """Build, and print what was done and what was left out."""
    args = parse_args(argv)
    args.config, args.work_dir = str(find_config(args.config)), tempfile.gettempdir()  # of trainings, not used here
    grid = TileGrid(args.tile, args.stride, args.tile_metres, args.stride_metres, args.max_nodata)
    compute = compute_options(args)
    with redirect_stdout(sys.stderr):
        report = build_archive(
            args.scenes,
            args.out,
            config=load_config(args),
            checkpoint=args.checkpoint,
            grid=grid,
            bands=args.bands,
            stretch=args.stretch,
            nodata=args.nodata,
            attributes=args.attributes,
            date_pattern=args.date_pattern,
            mask=args.mask,
            assume_crs=args.assume_crs,
            prune=args.prune,
            **compute,
        )
    print_report(report, Path(args.out), rank=compute['rank'])


if __name__ == '__main__':
    run_tool(main)
