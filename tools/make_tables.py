"""Result files -> a table:

    python tools/make_tables.py work_dirs/seeds/*/seed_*/test_results.json --into README.md --marker scenes

writes it between ``<!-- table:scenes -->`` and ``<!-- /table:scenes -->``; without ``--into`` it is printed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from osdpm_plugin.lab.experiments.tables import NUMBERS, add_place, build_table, check_place, deliver, render
from osdpm_plugin.launch import run_tool


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Make a table of result files, mean and deviation over seeds.')
    parser.add_argument('results', nargs='+', type=Path, metavar='RESULT_JSON', help='test_results.json files')
    parser.add_argument('--numbers', choices=NUMBERS, default='standard', help='which numbers (default: standard)')
    add_place(parser)
    return parser.parse_args()


def main() -> None:
    """Run the tool."""
    args = parse_args()
    check_place(args)
    deliver(args, render(build_table(args.results, args.numbers), args.format))


if __name__ == '__main__':
    run_tool(main)
