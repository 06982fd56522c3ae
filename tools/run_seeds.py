"""Train and evaluate configs with several seeds, average, compare:

    python tools/run_seeds.py configs/osdpm_scenes.py configs/ablations/scenes_plain.py --seeds 0 1 2 3 4

After an interruption run it again: finished seeds are not repeated, the interrupted one continues.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from osdpm_plugin.errors import ConfigError
from osdpm_plugin.lab.experiments.seeds import plan, run_jobs
from osdpm_plugin.lab.experiments.summary import compare, comparison_lines, summarise_seeds, summary_lines
from osdpm_plugin.launch import run_tool
from osdpm_plugin.utils.files import write_json


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Train and evaluate one or two configs with several seeds.')
    parser.add_argument('configs', nargs='+', metavar='CONFIG', help='config file; of two, the difference is reported')
    parser.add_argument('--seeds', nargs='+', type=int, default=[0, 1, 2, 3, 4], help='default: 0 1 2 3 4')
    parser.add_argument(
        '--work-dir', default='work_dirs/seeds', help='folder for everything (default: work_dirs/seeds)'
    )
    parser.add_argument(
        '--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='override values of all configs'
    )
    parser.add_argument('--gpus', type=int, default=1, help='seeds at a time, each on its own GPU (default: 1)')
    parser.add_argument('--resamples', type=int, default=10_000, help='of the bootstrap (default: 10000)')
    return parser.parse_args()


def main() -> None:
    """Run the tool."""
    args = parse_args()
    if len(args.configs) > 2:
        raise ConfigError(f'{len(args.configs)} configs were given; give one, or two to compare')
    jobs = plan(args.configs, args.seeds, args.work_dir, args.cfg_options)
    run_jobs([job for pair in zip(*jobs) for job in pair], Path(__file__).resolve().parent, gpus=args.gpus)
    files = [[job.result_file for job in part] for part in jobs]
    for part, paths in zip(jobs, files):
        summary = summarise_seeds(paths)
        path = part[0].folder.parent / 'summary.json'
        write_json(path, summary, 'summary file')
        print(f'{summary_lines(summary)}\n  written to {path}')
    if len(files) == 2:
        comparison = compare(*files, resamples=args.resamples)
        path = Path(args.work_dir, f'{Path(args.configs[0]).stem}_vs_{Path(args.configs[1]).stem}.json')
        write_json(path, comparison, 'summary file')
        print(f'{comparison_lines(comparison)}\n  written to {path}')


if __name__ == '__main__':
    run_tool(main)
