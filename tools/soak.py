"""Train and evaluate in turn for a given time, and write memory over time with its slope.

Example:
    python tools/soak.py configs/osdpm_scenes.py --minutes 30 --out soak.json
"""

from __future__ import annotations

import argparse

from osdpm_plugin.lab.benchmarks.soak import soak
from osdpm_plugin.launch import add_common_arguments, load_config, run_tool
from osdpm_plugin.utils.checks import check_number


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_common_arguments(parser)
    parser.add_argument('--minutes', type=float, default=30.0, help='how long to run (default: 30)')
    parser.add_argument('--out', default='soak.json', help='JSON file (default: soak.json)')
    args = parser.parse_args()
    check_number('', '--minutes', args.minutes, above=0)
    return args


def main() -> None:
    """Run the tool."""
    args = parse_args()
    hook = soak(load_config(args), out=args.out, seconds=60 * args.minutes)
    for name, slope in hook.slopes().items():
        said = (
            'too few samples for a slope'
            if slope is None
            else f'{slope.mb_per_hour:+.1f} MB/hour, 95 % interval [{slope.low:+.1f}, {slope.high:+.1f}]'
        )
        print(f'{name.split("_")[0]}: {said}')
    print(f'{len(hook.samples)} samples in {args.out}')


if __name__ == '__main__':
    run_tool(main)
