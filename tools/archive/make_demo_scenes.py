"""Draw georeferenced scenes with known content, to try the archive on.

Example:
    python tools/archive/make_demo_scenes.py work_dirs/archive_demo/scenes

writes GeoTIFFs of several CRS (one across the antimeridian, one 16-bit with four bands and a border of no data, one
COG), a JPEG without georeference, and the tables scenes.csv (dates, sensors), truth.csv (the place of every picture),
objects.csv (of every object) and queries.csv (questions with their right places).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Optional

from osdpm_plugin.errors import ConfigError
from osdpm_plugin.launch import run_tool
from osdpm_plugin.utils.checks import check_int


def parse_args(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    """Command line -> options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('out', help='folder to write, empty or not there yet')
    parser.add_argument('--scenes', type=int, default=10, help='number of scenes, 1 to 10 (default: %(default)s)')
    parser.add_argument('--size', type=int, default=4096, help='pixels a side of a scene (default: %(default)s)')
    parser.add_argument('--seed', type=int, default=0, help='of all pictures (default: %(default)s)')
    args = parser.parse_args(argv)
    check_int('', '--scenes', args.scenes, most=10)
    check_int('', '--size', args.size, least=257)
    check_int('', '--seed', args.seed, least=0)
    return args


def main(argv: Optional[Sequence[str]] = None) -> None:
    """Run the tool."""
    args = parse_args(argv)
    try:
        from osdpm_plugin.lab.data.archive_scenes import write_archive_scenes
    except ModuleNotFoundError as error:
        raise ConfigError(f'{error.name} is not installed; run: pip install -e ".[archive]"') from error
    rows = write_archive_scenes(args.out, scenes=args.scenes, size=args.size, seed=args.seed)
    print(f'{args.scenes} scenes in {args.out}; {", ".join(f"{name}: {count} rows" for name, count in rows.items())}')


if __name__ == '__main__':
    run_tool(main)
