r"""Evaluate a checkpoint: ``python tools/test.py configs/osdpm_rsitmd.py work_dirs/osdpm_rsitmd/best_....pth``.

Configs of configs/zero_shot need none; they are told which data to read:

    python tools/test.py configs/zero_shot/remoteclip_vitb32.py \
        --cfg-options test_dataloader.dataset.type=RSITMD test_dataloader.dataset.data_root=data/RSITMD
"""

from __future__ import annotations

import argparse
from typing import Optional

from mmengine.config import Config, ConfigDict
from mmengine.dist import is_main_process

from osdpm_plugin.errors import ConfigError
from osdpm_plugin.evaluation import recall_table
from osdpm_plugin.lab.experiments.record import TestRecord
from osdpm_plugin.launch import (
    add_common_arguments,
    build_tester,
    check_data,
    load_config,
    load_pretrained,
    run_tool,
)
from osdpm_plugin.pretrained.checkpoint import checkpoint_file
from osdpm_plugin.utils.dist import unwrapped


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Evaluate a retrieval model on the test data of its config.')
    add_common_arguments(parser)
    parser.add_argument('checkpoint', nargs='?', help='checkpoint file; none where all weights are pretrained')
    parser.add_argument('--out', help='write scores (N, M) and ids to this .npz file')
    return parser.parse_intermixed_args()  # the checkpoint may follow options


def recall_metric(cfg: Config) -> Optional[ConfigDict]:
    """The config of `ImageTextRecall` among the test evaluators; None if there is none."""
    evaluators = cfg.get('test_evaluator') or []
    evaluators = evaluators if isinstance(evaluators, (list, tuple)) else [evaluators]
    return next((metric for metric in evaluators if metric.get('type') == 'ImageTextRecall'), None)


def main() -> None:
    """Run the tool."""
    args = parse_args()
    cfg = load_config(args)
    if args.checkpoint is not None and '://' not in args.checkpoint:
        args.checkpoint = checkpoint_file(args.checkpoint)
    cfg.load_from, cfg.resume = args.checkpoint, False
    recall = recall_metric(cfg)
    if recall is not None:
        record = TestRecord(cfg, args.config, args.checkpoint or 'pretrained weights')
        recall.queries_file, recall.scores_file = record.queries_file, args.out
    elif args.out:
        raise ConfigError('--out needs ImageTextRecall as test_evaluator of the config; leave it out')
    check_data(cfg, 'test_dataloader')
    runner = build_tester(cfg)
    if args.checkpoint is None:
        load_pretrained(unwrapped(runner.model))
    metrics = runner.test() if recall is None else record.run(runner)
    if recall is not None and is_main_process():
        print(recall_table(metrics, prefix=recall.get('prefix') or 'retrieval'))
        print(record.describe())


if __name__ == '__main__':
    run_tool(main)
