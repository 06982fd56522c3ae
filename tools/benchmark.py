"""Measure the speed of this plugin against what it is compared with, side by side.

Examples:
    python tools/benchmark.py all --out benchmark.json
    python tools/benchmark.py step --batch-size 64 --precision bf16 --repeats 5
    python tools/benchmark.py scoring --config configs/comparison/scan_t2i_rsicd.py --images 200 --captions 1000
"""

from __future__ import annotations

import argparse
import logging
import tempfile
from pathlib import Path
from typing import Any, Callable

import torch
from mmengine.config import Config
from mmengine.logging import MMLogger

from osdpm_plugin.benchmarks import (
    feature_extraction,
    input_pipeline,
    machine,
    pair_scoring,
    quickstart,
    recall,
    report,
    start_up,
    training_step,
)
from osdpm_plugin.engine.launch import run_tool
from osdpm_plugin.errors import ConfigError

ROOT = Path(__file__).resolve().parent.parent
SCORING = 'configs/comparison/scan_t2i_rsicd.py'
LARGE = 10_000  # images of the test of memory


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('what', choices=[*MEASURES, 'all', 'quickstart', 'scoring'], help='all: the first five')
    parser.add_argument('--out', help='JSON file; results of other measures in it stay')
    parser.add_argument('--config', help='config whose model or pipeline is measured (default: as in the README)')
    parser.add_argument('--repeats', type=int, default=7, help='measurements of each side (default: 7)')
    parser.add_argument('--batch-size', type=int, help='(default: 32; input: 64)')
    parser.add_argument('--images', type=int, help='(default: input 512, extract 64, recall 1093, scoring 100)')
    parser.add_argument('--captions', type=int, default=500, help='of scoring (default: 500)')
    parser.add_argument('--size', type=int, default=256, help='of scoring: pixels of a side (default: 256)')
    parser.add_argument('--shard', type=int, default=128, help='of scoring: of the loops (default: 128)')
    parser.add_argument('--workers', type=int, default=2, help='of each data loader (default: 2)')
    parser.add_argument('--precision', choices=['fp32', 'bf16'], default='fp32', help='(default: fp32)')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu', help='cpu, cuda ...')
    args = parser.parse_args()
    for key in ('repeats', 'batch_size', 'images', 'captions', 'size', 'shard'):
        if getattr(args, key) is not None and getattr(args, key) < 1:
            raise ConfigError(f'--{key.replace("_", "-")} must be at least 1, got {getattr(args, key)}')
    return args


def read_config(args: argparse.Namespace, default: str) -> Config:
    """The config that was named, or the default of a measure."""
    path = Path(args.config or ROOT / default)
    if not path.is_file():
        raise ConfigError(f'config file {path} does not exist; check --config')
    return Config.fromfile(path)


def step(args: argparse.Namespace, rates: dict, folder: Path) -> list[dict[str, Any]]:
    """A training step."""
    cfg = read_config(args, training_step.CONFIG)
    options = dict(batch_size=args.batch_size or 32, precision=args.precision, device=args.device, rates=rates)
    return [training_step.compare_steps(cfg, repeats=args.repeats, **options)]


def read_input(args: argparse.Namespace, rates: dict, folder: Path) -> list[dict[str, Any]]:
    """The input pipeline."""
    cfg = read_config(args, input_pipeline.CONFIG)
    options = dict(count=args.images or 512, batch_size=args.batch_size or 64, workers=args.workers)
    return list(input_pipeline.compare_pipelines(cfg, folder, repeats=args.repeats, **options))


def extract(args: argparse.Namespace, rates: dict, folder: Path) -> list[dict[str, Any]]:
    """Features of an archive, in float32 and in bfloat16."""
    cfg = read_config(args, feature_extraction.CONFIG)
    options = dict(count=args.images or 64, batch_size=args.batch_size or 32, device=args.device, rates=rates)
    return [
        feature_extraction.compare_extraction(cfg, folder, repeats=args.repeats, precision=precision, **options)
        for precision in ('fp32', 'bf16')
    ]


def find_recall(args: argparse.Namespace, rates: dict, folder: Path) -> list[dict[str, Any]]:
    """Recall, and its memory."""
    row = recall.compare_recall(repeats=args.repeats, count=args.images or 1093, rates=rates)
    large = recall.measure_memory(LARGE)
    print(
        f'recall of {LARGE} x {recall.CAPTIONS * LARGE}: {large["seconds"]:.1f} s, '
        f'{(large["peak_bytes"] - large["before_bytes"]) / 2**20:.0f} MiB beside the embeddings; '
        f'all scores would take {large["matrix_bytes"] / 2**20:.0f} MiB'
    )
    return [dict(row, large=large)]


def start(args: argparse.Namespace, rates: dict, folder: Path) -> list[dict[str, Any]]:
    """Start-up."""
    cfg = read_config(args, start_up.CONFIG)
    return [start_up.compare_start_up(cfg, folder, root=ROOT, repeats=args.repeats)]


MEASURES: dict[str, Callable] = dict(step=step, input=read_input, extract=extract, recall=find_recall, startup=start)


def score(args: argparse.Namespace) -> None:
    """Scores of pairs."""
    images = args.images or 100
    options = dict(captions=args.captions, size=args.size, shard=args.shard, device=args.device)
    timing = pair_scoring.time_scoring(read_config(args, SCORING), images=images, **options)
    print(f'{images} images x {args.captions} captions on {args.device}:')
    print(f'  once over the towers {timing.features_s:.2f} s, all pairs {timing.scores_s:.2f} s')
    print(f'  loops of published code {timing.naive_s:.2f} s, {timing.ratio:.1f} times as long')
    print(f'  greatest difference of a score {timing.greatest_difference:.2g}')
    if args.out:
        report.merge(args.out, 'scoring', dict(timing._asdict(), ratio=timing.ratio))


def main() -> None:
    """Run the tool."""
    args = parse_args()
    MMLogger.get_instance('mmengine', log_level='ERROR')
    logging.getLogger().setLevel(logging.ERROR)
    if args.what == 'scoring':
        score(args)
        return
    with tempfile.TemporaryDirectory() as folder:
        if args.what == 'quickstart':
            found = quickstart.time_quickstart(ROOT, Path(folder))
            print(f'quickstart: {found["seconds"]} s')
            if args.out:
                report.merge(args.out, 'quickstart', found)
            return
        rows = []
        for name in MEASURES if args.what == 'all' else [args.what]:
            place = Path(folder, name)
            place.mkdir()
            described = machine.describe(args.device)  # anew for each: floors and load belong together
            measured = MEASURES[name](args, described['rates'], place)
            rows += measured
            if args.out:
                report.merge(args.out, name, dict(machine=described, rows=measured))
    print(report.table(rows))


if __name__ == '__main__':
    run_tool(main)
