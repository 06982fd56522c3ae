"""Evaluate a checkpoint: ``python tools/test.py configs/osdpm_rsitmd.py work_dirs/osdpm_rsitmd/best_....pth``."""

from __future__ import annotations

import argparse
from pathlib import Path

from osdpm_plugin.engine.launch import add_common_arguments, build_runner, explain, load_config, run_tool
from osdpm_plugin.evaluation import recall_table


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Evaluate a retrieval model on the test data of its config.')
    add_common_arguments(parser)
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--out', help='write scores (N, M) and ids to this .npz file')
    return parser.parse_args()


def main() -> None:
    """Run the tool."""
    args = parse_args()
    cfg = load_config(args)
    cfg.load_from = args.checkpoint
    evaluator = cfg.test_evaluator
    evaluator.out_file = str(Path(cfg.work_dir, 'test_results.json'))
    evaluator.scores_file = args.out
    runner = build_runner(cfg)
    try:
        metrics = runner.test()
    except (TypeError, KeyError) as error:
        raise explain(error) from error
    print(recall_table(metrics, prefix='retrieval'))
    print(f'All tie policies: {evaluator.out_file}')


if __name__ == '__main__':
    run_tool(main)
