"""Keep the result files of finished seeds beside the configs, and make the tables of the pages there again:

python tools/keep_results.py work_dirs/seeds work_dirs/table/ucm_resnet50
"""

from __future__ import annotations

import argparse
from pathlib import Path

from osdpm_plugin.lab.experiments.keep import keep_results
from osdpm_plugin.lab.experiments.metafile import write_metafile
from osdpm_plugin.lab.experiments.pages import update_page
from osdpm_plugin.launch import run_tool

CONFIGS = Path(__file__).resolve().parent.parent / 'configs'


def main() -> None:
    """Run the tool."""
    parser = argparse.ArgumentParser(description='Copy result files of seeds into configs/results.')
    parser.add_argument('work_dirs', nargs='+', type=Path, metavar='WORK_DIR', help='folders with finished seeds')
    parser.add_argument('--configs', type=Path, default=CONFIGS, help='folder of the configs (default: the shipped)')
    parser.add_argument('--command', help='what made them (default: run_seeds.py with the seeds and their options)')
    args = parser.parse_args()
    for kept in keep_results(args.work_dirs, args.configs, command=args.command):
        print(f'{kept.source} -> {kept.target}')
    for page in sorted(args.configs.rglob('README.md')):
        for name, filled in update_page(page).items():
            print(f'{page}: table {name} {"is up to date" if filled else "has no result files yet"}')
    metafile = args.configs / 'metafile.yml'
    print(f'{metafile}: {write_metafile(metafile, args.configs / "results")} models')


if __name__ == '__main__':
    run_tool(main)
