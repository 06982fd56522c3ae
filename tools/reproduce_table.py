"""Train and evaluate every method of a published table, and print published and measured numbers side by side:

    python tools/reproduce_table.py rsitmd
    python tools/reproduce_table.py ucm --tower resnet50 --methods vsepp hvsa plain osdpm --seeds 0 1 2

After an interruption run it again: finished seeds are not repeated, the interrupted one continues. The table is
printed, or written into a file as tools/make_tables.py does; the work dir also gets table.md, table.csv and table.tex.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from osdpm_plugin.lab.experiments.comparison import finished_results, make_table, run_comparison
from osdpm_plugin.lab.experiments.comparison_setting import CONFIG_NAMES, DATASETS, METHOD_NAMES, PAIRS, Setting
from osdpm_plugin.lab.experiments.comparison_table import render_comparison, write_comparison
from osdpm_plugin.lab.experiments.tables import add_place, check_place, deliver
from osdpm_plugin.launch import run_tool

TOOLS = Path(__file__).resolve().parent


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Train and evaluate the methods of a published table.')
    parser.add_argument('dataset', choices=DATASETS, help='the set; its images must be on disk')
    parser.add_argument(
        '--methods',
        nargs='+',
        choices=METHOD_NAMES,
        metavar='METHOD',
        help=f'of {", ".join(METHOD_NAMES)} (default: all but no_dapn, which was not published; '
        f'{", ".join(PAIRS)} on --tower resnet50 alone)',
    )
    parser.add_argument('--seeds', nargs='+', type=int, default=[0, 1, 2], help='default: 0 1 2')
    parser.add_argument('--tower', choices=CONFIG_NAMES, default='published', help='image tower (default: published)')
    parser.add_argument(
        '--epochs', type=int, help='of every method, its schedule compressed (default: the configs say)'
    )
    parser.add_argument(
        '--passes', type=int, help='at most, over all images with all captions (default: what the configs say)'
    )
    parser.add_argument('--data-root', help='folder of the set (default: what the configs say)')
    parser.add_argument('--split', choices=['test', 'val'], help='to report (default: what the configs say)')
    parser.add_argument('--work-dir', default='work_dirs/table', help='folder for everything')
    parser.add_argument(
        '--cache', default='work_dirs/cache', help='folder for the features of --tower resnet50 (default: %(default)s)'
    )
    parser.add_argument('--no-cache', action='store_true', help='augment the images, run the towers in every step')
    parser.add_argument('--gpus', type=int, default=1, help='runs at a time, each on its own GPU (default: 1)')
    parser.add_argument('--configs', type=Path, default=TOOLS.parent / 'configs', help='folder of the configs')
    parser.add_argument(
        '--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='override values of all configs'
    )
    parser.add_argument('--finished', action='store_true', help='run nothing: the table of what is finished')
    add_place(parser)
    return parser.parse_args()


def main() -> None:
    """Run the tool."""
    args = parse_args()
    check_place(args)
    left_out = {'no_dapn', *(PAIRS if args.tower == 'published' else ())}
    methods = args.methods or [method for method in METHOD_NAMES if method not in left_out]
    setting = Setting(
        dataset=args.dataset,
        tower=args.tower,
        methods=tuple(dict.fromkeys(methods)),
        seeds=tuple(args.seeds),
        work_dir=args.work_dir,
        configs=args.configs,
        epochs=args.epochs,
        passes=args.passes,
        data_root=args.data_root,
        split=args.split,
        cache=None if args.no_cache else args.cache,
        options=tuple(args.cfg_options),
    )
    results = finished_results(setting) if args.finished else run_comparison(setting, TOOLS, gpus=args.gpus)
    table = make_table(setting, results)
    write_comparison(table, setting.folder)
    deliver(args, render_comparison(table, args.format))


if __name__ == '__main__':
    run_tool(main)
