"""Work dirs -> one HTML page without other files:

    python tools/report.py work_dirs/seeds/osdpm_scenes work_dirs/seeds/scenes_plain --out report.html

A work dir is a run, a folder of seeds, or a folder of such folders; the first one on a data set is the one that others
are compared to. ``--evaluate`` embeds the split by the best checkpoint and adds gallery, heat maps and hardest queries.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from osdpm_plugin.errors import ConfigError
from osdpm_plugin.lab.report import EvaluationOptions, build_report, evaluate, read_experiments, write_report
from osdpm_plugin.lab.report.page import check_html
from osdpm_plugin.launch import SPLITS, Overrides, run_tool


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Make one self-contained HTML page of work dirs.')
    parser.add_argument('work_dirs', nargs='+', metavar='WORK_DIR', help='run, folder of seeds, or folder of those')
    parser.add_argument('--out', default='report.html', metavar='FILE.html', help='page (default: report.html)')
    parser.add_argument('--title', help='of the page (default: from the name of the config)')
    parser.add_argument('--resamples', type=int, default=10_000, help='of the bootstrap (default: 10000)')
    parser.add_argument('--audit-json', nargs='+', default=[], type=Path, metavar='JSON', help='of audit_dataset.py')
    parser.add_argument('--audit', nargs='+', default=[], metavar='SET', help='TYPE:ROOT of data sets to audit now')
    parser.add_argument('--audit-images', action='store_true', help='compare the images of --audit too (minutes)')
    group = parser.add_argument_group('evaluation of the best checkpoint of the first seed')
    group.add_argument('--evaluate', action='store_true', help='draw gallery and heat maps, show hardest queries')
    group.add_argument('--split', choices=SPLITS, default='test', help='data to search (default: test)')
    group.add_argument('--config', help='config file (default: the one in the work dir)')
    group.add_argument('--checkpoint', help='checkpoint file (default: the best in the work dir)')
    group.add_argument('--cfg-options', nargs='+', action=Overrides, default={}, help='override values of the config')
    group.add_argument('--queries', type=int, default=4, help='of each direction in the gallery (default: 4)')
    group.add_argument('--hardest', type=int, default=6, help='hardest queries of each direction (default: 6)')
    group.add_argument('--heatmaps', type=int, default=2, help='images with heat maps, 0 for none (default: 2)')
    return parser.parse_args()


def main() -> None:
    """Run the tool."""
    args = parse_args()
    check_html(args.out)
    if not args.evaluate and (args.config or args.checkpoint or args.cfg_options):
        raise ConfigError('--config, --checkpoint and --cfg-options belong to --evaluate; add it, or leave them out')
    options = EvaluationOptions(
        split=args.split,
        config=args.config,
        checkpoint=args.checkpoint,
        cfg_options=args.cfg_options,
        queries=args.queries,
        hardest=args.hardest,
        heatmaps=args.heatmaps,
    )
    experiments = read_experiments(args.work_dirs)
    report = build_report(
        experiments,
        title=args.title,
        evaluated=evaluate(experiments, options) if args.evaluate else None,
        audit_files=args.audit_json,
        audit_sets=args.audit,
        audit_images=args.audit_images,
        resamples=args.resamples,
    )
    write_report(report, args.out)
    print(f'Report: {args.out}')


if __name__ == '__main__':
    run_tool(main)
