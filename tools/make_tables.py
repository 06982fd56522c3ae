"""Result files -> a table:

    python tools/make_tables.py work_dirs/seeds/*/seed_*/test_results.json --into configs/README.md --marker ucm

writes it between ``<!-- table:ucm -->`` and ``<!-- /table:ucm -->``; without ``--into`` it is printed.

    python tools/make_tables.py --page configs/README.md
    python tools/make_tables.py configs/results --metafile configs/metafile.yml

make all tables of the results page again, and OpenMMLab's model index, from the results that are kept beside the
configs (`tools/keep_results.py` puts them there).
"""

from __future__ import annotations

import argparse
from pathlib import Path

from osdpm_plugin.errors import ConfigError
from osdpm_plugin.lab.experiments.metafile import write_metafile
from osdpm_plugin.lab.experiments.pages import update_page
from osdpm_plugin.lab.experiments.tables import NUMBERS, add_place, build_table, check_place, deliver, render
from osdpm_plugin.launch import run_tool


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Make a table of result files, mean and deviation over seeds.')
    parser.add_argument(
        'results', nargs='*', type=Path, metavar='RESULTS', help='test_results.json files; with --metafile, one folder'
    )
    parser.add_argument('--numbers', choices=NUMBERS, default='standard', help='which numbers (default: standard)')
    parser.add_argument('--metafile', type=Path, help='YAML file to write the results of a folder into, see configs')
    parser.add_argument('--page', type=Path, help='Markdown file whose tables say where they come from')
    add_place(parser)
    return parser.parse_args()


def main() -> None:
    """Run the tool."""
    args = parse_args()
    check_place(args)
    if args.page is not None:
        if args.results or args.metafile or args.into:
            raise ConfigError('--page takes its result files from the page; leave out RESULTS, --metafile and --into')
        for name, filled in update_page(args.page).items():
            print(f'{args.page}: table {name} {"is up to date" if filled else "has no result files yet"}')
        return
    if args.metafile is None:
        deliver(args, render(build_table(args.results, args.numbers), args.format))
        return
    if args.into is not None or len(args.results) > 1 or not args.results[0].is_dir():
        raise ConfigError('--metafile takes one folder of result files, such as configs/results, and no --into')
    print(f'{args.metafile}: {write_metafile(args.metafile, args.results[0])} models')


if __name__ == '__main__':
    run_tool(main)
