r"""Show where in a scene is what is asked: a map of similarity, as GeoTIFF and as a picture.

Examples:
    python tools/archive/locate.py archive "two planes beside a terminal" --out heat.tif --png heat.png
    python tools/archive/locate.py archive "a harbour" --scene bay.tif --sizes 128 256 512 --out heat.tif
    python tools/archive/locate.py bay.tif "a harbour" --config osdpm_ucm --checkpoint best.pth --out heat.tif \
        --boxes harbours.csv

With --boxes it prints how well the map points at them, by the indicators of Yuan et al., "Learning to evaluate
performance of multimodal semantic localization", IEEE TGRS 2022.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from typing import Optional

import numpy as np

from osdpm_plugin.archive import Archive
from osdpm_plugin.archive.folder import ArchiveFolder
from osdpm_plugin.archive.grid import TileGrid
from osdpm_plugin.archive.localisation import locate_in, locate_in_file, make_grids
from osdpm_plugin.archive.localisation_indicators import indicators
from osdpm_plugin.archive.localisation_map import SimilarityMap
from osdpm_plugin.archive.localisation_outputs import draw_map, write_geotiff
from osdpm_plugin.archive.maker import load_encoder
from osdpm_plugin.archive.places import parse_crs, to_lonlat
from osdpm_plugin.archive.regions import read_regions
from osdpm_plugin.archive.scene import PixelRule
from osdpm_plugin.errors import ConfigError
from osdpm_plugin.launch import run_tool
from osdpm_plugin.search.shipped_configs import read_config
from osdpm_plugin.utils.checks import check_int
from osdpm_plugin.visualization.page import save_figure


def parse_args(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    """Command line -> options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('place', metavar='ARCHIVE|SCENE', help='folder of an archive, or a raster file or address')
    parser.add_argument('text', metavar='TEXT', help='what to look for')
    parser.add_argument('--out', required=True, metavar='FILE.tif', help='GeoTIFF of similarities')
    parser.add_argument('--png', metavar='FILE.png', help='picture of the map over the scene')
    parser.add_argument('--boxes', metavar='FILE', help='where it is: .csv or .geojson; prints the indicators')
    parser.add_argument('--scene', help='of the archive: id, path or file name (default: that of the best hit)')
    tiles = parser.add_argument_group('tiles')
    size = tiles.add_mutually_exclusive_group()
    size.add_argument(
        '--sizes',
        type=int,
        nargs='+',
        metavar='PIXELS',
        help="sides of tiles (default: 1, 2 and 3 of the archive's; 256 512 768 for a scene)",
    )
    size.add_argument('--sizes-metres', type=float, nargs='+', metavar='M', help='sides of tiles on the ground instead')
    tiles.add_argument('--stride', type=float, metavar='SHARE', help='from a tile to the next, in sides (default: 0.5)')
    tiles.add_argument('--median', type=float, metavar='PIXELS', help='smooth the map by a median filter of this side')
    tiles.add_argument('--batch-size', type=int, default=32, help='tiles in a step (default: %(default)s)')
    model = parser.add_argument_group('model')
    model.add_argument('--config', help='config file or name of a shipped config, for a scene')
    model.add_argument('--checkpoint', help='of the model; of an archive, if it is not where it was')
    model.add_argument('--device', help='e.g. cpu or cuda:1 (default: a GPU if there is one)')
    pixels = parser.add_argument_group('pixels of a scene that is in no archive')
    pixels.add_argument('--bands', type=int, nargs=3, metavar=('R', 'G', 'B'), help='positions, from 0')
    pixels.add_argument('--stretch', choices=['percentile', 'minmax', 'none'], default='percentile')
    pixels.add_argument('--nodata', type=float, metavar='VALUE', help='stands for no data, besides what the file says')
    pixels.add_argument('--assume-crs', metavar='EPSG:CODE', help='if it has coordinates but names no CRS')
    return parser.parse_args(argv)


def find(args: argparse.Namespace) -> SimilarityMap:
    """Make the map."""

    def grids(own: Optional[TileGrid]) -> list[TileGrid]:
        in_metres = args.sizes_metres is not None
        return make_grids(args.sizes_metres or args.sizes, in_metres=in_metres, stride=args.stride, own=own)

    how = dict(median=args.median, batch_size=check_int('', '--batch-size', args.batch_size))
    if ArchiveFolder(args.place).exists:
        archive = Archive.open(args.place, config=args.config, checkpoint=args.checkpoint, device=args.device)
        own = TileGrid(**archive.maker['grid'])
        return locate_in(archive, args.text, args.scene, grids=grids(own), **how)
    if args.scene is not None:
        raise ConfigError(f'--scene names a scene of an archive, and {args.place} is none; leave it out')
    if args.config is None:
        raise ConfigError(f'{args.place} is no archive; name the model for a scene with --config and --checkpoint')
    cfg = read_config(args.config)
    encoder = load_encoder(cfg, args.checkpoint, args.device)
    rule = PixelRule(None if args.bands is None else tuple(args.bands), args.stretch, args.nodata)
    crs = None if args.assume_crs is None else parse_crs(args.assume_crs)
    return locate_in_file(args.place, args.text, encoder, grids=grids(None), rule=rule, assume_crs=crs, **how)


def describe(found: SimilarityMap) -> str:
    """Size of the map, and where it is highest."""
    row, column = np.unravel_index(np.nanargmax(found.values), found.values.shape)
    x, y = (column + 0.5) * found.cell[1], (row + 0.5) * found.cell[0]
    place = f'column {x:.0f}, row {y:.0f}'
    if found.record.georeference is not None:
        lon, lat = to_lonlat(found.record.georeference, np.array(x), np.array(y))
        place = f'{lon:.5f}, {lat:.5f} ({place})'
    height, width = found.values.shape
    sizes = ', '.join(f'{rows} x {columns}' for rows, columns in found.sizes)
    return (
        f'{found.record.scene}: {height} x {width} cells, tiles of {sizes} pixels\n'
        f'similarity {np.nanmin(found.values):.4f} to {np.nanmax(found.values):.4f}, highest at {place}'
    )


def main(argv: Optional[Sequence[str]] = None) -> None:
    """Make the map, write it, and say how well it points at the boxes."""
    args = parse_args(argv)
    for option, path, endings in (('--out', args.out, ('.tif', '.tiff')), ('--png', args.png, ('.png',))):
        if path is not None and not path.lower().endswith(endings):
            raise ConfigError(f'{option} {path} must end in {endings[0]}')
    with redirect_stdout(sys.stderr):
        found = find(args)
        regions = [] if args.boxes is None else read_regions(args.boxes, found.record, args.text)
        write_geotiff(found, args.out)
        if args.png is not None:
            save_figure(draw_map(found, regions), args.png)
    print(describe(found))
    if regions:
        area, shift, discrete, mean = indicators(found.scaled, regions, found.cell)
        print(f'{len(regions)} regions: R_su {area:.4f}  R_as {shift:.4f}  R_da {discrete:.4f}  R_mi {mean:.4f}')
    print(' '.join(filter(None, [args.out, args.png])))


if __name__ == '__main__':
    run_tool(main)
