"""Result files -> a table:

    python tools/make_tables.py work_dirs/seeds/*/seed_*/test_results.json --into README.md --marker scenes

writes it between ``<!-- table:scenes -->`` and ``<!-- /table:scenes -->``; without ``--into`` it is printed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from osdpm_plugin.engine.launch import run_tool
from osdpm_plugin.errors import ConfigError
from osdpm_plugin.experiments.tables import FORMATS, NUMBERS, build_table, put_into, render


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Make a table of result files, mean and deviation over seeds.')
    parser.add_argument('results', nargs='+', type=Path, metavar='RESULT_JSON', help='test_results.json files')
    parser.add_argument('--format', choices=FORMATS, default='markdown')
    parser.add_argument('--numbers', choices=NUMBERS, default='standard', help='which numbers (default: standard)')
    parser.add_argument('--into', type=Path, help='Markdown file to write the table into')
    parser.add_argument('--marker', help='name of the place in that file')
    return parser.parse_args()


def main() -> None:
    """Run the tool."""
    args = parse_args()
    if (args.into is None) != (args.marker is None):
        raise ConfigError('--into and --marker belong together; give both, or none to print the table')
    if args.into is not None and args.format != 'markdown':
        raise ConfigError(f'--into writes Markdown, not {args.format}; leave out one of --into and --format')
    text = render(build_table(args.results, args.numbers), args.format)
    if args.into is None:
        print(text)
    else:
        changed = put_into(args.into, args.marker, text)
        print(f'{args.into}: table {args.marker} {"written" if changed else "is up to date"}')


if __name__ == '__main__':
    run_tool(main)
