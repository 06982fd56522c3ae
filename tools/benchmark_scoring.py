"""Time the scoring of all pairs of a model against the loops of published evaluation code, on made-up inputs.

Example:
    python tools/benchmark_scoring.py configs/comparison/scan_t2i_rsicd.py --images 200 --captions 1000
"""

from __future__ import annotations

import argparse

import numpy as np
import torch

from osdpm_plugin.engine.launch import add_common_arguments, load_config, run_tool
from osdpm_plugin.errors import ConfigError
from osdpm_plugin.evaluation.scoring_benchmark import compare_scoring
from osdpm_plugin.models.backbones import WordEmbedding
from osdpm_plugin.registry import MODELS, TASK_UTILS

WORDS = tuple(f'word{i}' for i in range(500))


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_common_arguments(parser)
    parser.add_argument('--images', type=int, default=100, help='N (default: 100)')
    parser.add_argument('--captions', type=int, default=500, help='M (default: 500)')
    parser.add_argument('--size', type=int, default=256, help='side of an image in pixels (default: 256)')
    parser.add_argument('--shard', type=int, default=128, help='of the loops (default: 128)')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu', help='where the model runs')
    args = parser.parse_args()
    for key in ('images', 'captions', 'size', 'shard'):
        if getattr(args, key) < 1:
            raise ConfigError(f'--{key} must be at least 1, got {getattr(args, key)}')
    return args


def main() -> None:
    """Run the tool."""
    args = parse_args()
    cfg = load_config(args)
    model = MODELS.build(cfg.model).to(args.device)
    for module in model.modules():
        if isinstance(module, WordEmbedding):
            module.set_vocabulary(WORDS)
    rng = np.random.default_rng(0)
    captions = [' '.join(rng.choice(WORDS, rng.integers(5, 21))) for _ in range(args.captions)]
    steps = cfg.test_dataloader.dataset.pipeline
    tokenizer = next(step.tokenizer for step in steps if step.type == 'TokenizeCaptions')
    tokens = torch.from_numpy(TASK_UTILS.build(tokenizer)(captions)).to(args.device)
    images = torch.from_numpy(rng.standard_normal((args.images, 3, args.size, args.size), dtype=np.float32))
    timing = compare_scoring(model, images.to(args.device), tokens, shard=args.shard)
    print(f'{args.images} images x {args.captions} captions on {args.device}:')
    print(f'  once over the towers {timing.features_s:.2f} s, all pairs {timing.scores_s:.2f} s')
    print(f'  loops of published code {timing.naive_s:.2f} s, {timing.ratio:.1f} times as long')
    print(f'  greatest difference of a score {timing.greatest_difference:.2g}')


if __name__ == '__main__':
    run_tool(main)
