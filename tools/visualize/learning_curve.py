"""Draw Rsum against the share of captions, one line a variant of configs/few_captions.

Example:
    python tools/visualize/learning_curve.py work_dirs/seeds/ucm_*/seed_*/test_results.json --out learning_curve.png
"""

from __future__ import annotations

import argparse
from pathlib import Path

from osdpm_plugin.lab.experiments.learning_curve import read_curves
from osdpm_plugin.launch import run_tool
from osdpm_plugin.visualization import check_png, draw_learning_curve, save_figure


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Draw a learning curve of result files: means with their deviation.')
    parser.add_argument('results', nargs='+', type=Path, metavar='RESULTS', help='test_results.json files of one set')
    parser.add_argument('--title', help='above the picture (default: the data and the split)')
    parser.add_argument(
        '--out', default='learning_curve.png', metavar='FILE.png', help='picture (default: %(default)s)'
    )
    return parser.parse_args()


def main() -> None:
    """Run the tool."""
    args = parse_args()
    check_png(args.out)
    data, curves = read_curves(args.results)
    save_figure(draw_learning_curve(curves, title=args.title or data), args.out)
    for label, curve in curves.items():
        means = ', '.join(f'{percent} % {sum(v) / len(v):.1f} ({len(v)})' for percent, v in curve.items())
        print(f'{label}: {means}')
    print(f'Learning curve, means and number of seeds: {args.out}')


if __name__ == '__main__':
    run_tool(main)
