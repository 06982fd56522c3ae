"""Train a model: ``python tools/train.py configs/osdpm_rsitmd.py``."""

from __future__ import annotations

import argparse
import os

from osdpm_plugin.engine import latest_checkpoint
from osdpm_plugin.errors import ConfigError
from osdpm_plugin.launch import add_common_arguments, build_runner, check_data, load_config, run_tool, use_amp


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Train a retrieval model.')
    add_common_arguments(parser)
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        help='continue from the given checkpoint, the newest one of the given folder, or the newest one in work_dir',
    )
    parser.add_argument('--amp', action='store_true', help='automatic mixed precision, see AutocastOptimWrapper')
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate by actual batch size / auto_scale_lr.base_batch_size',
    )
    parser.add_argument('--no-validate', action='store_true', help='train without validation')
    return parser.parse_args()


def main() -> None:
    """Run the tool."""
    args = parse_args()
    cfg = load_config(args)
    if not cfg.get('train_cfg'):
        raise ConfigError(
            f'config {args.config} has no train_cfg, so that it says nothing of a training; name another one'
        )
    resume = args.resume or ('auto' if cfg.get('resume') and not cfg.get('load_from') else None)
    if resume is not None:
        out_dir = ((cfg.get('default_hooks') or {}).get('checkpoint') or {}).get('out_dir')
        run = cfg.work_dir if resume == 'auto' else resume
        newest = latest_checkpoint(run, out_dir) if os.path.isdir(run) else None
        checkpoint = newest if resume == 'auto' else newest or resume
        cfg.resume = checkpoint is not None
        cfg.load_from = checkpoint or cfg.get('load_from')
    if args.amp:
        use_amp(cfg)
    if args.auto_scale_lr:
        if 'base_batch_size' not in (cfg.get('auto_scale_lr') or {}):
            raise ConfigError('--auto-scale-lr needs auto_scale_lr=dict(base_batch_size=...) in the config')
        cfg.auto_scale_lr.enable = True
    if args.no_validate:
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    check_data(cfg, 'train_dataloader', 'val_dataloader')
    build_runner(cfg).train()


if __name__ == '__main__':
    run_tool(main)
