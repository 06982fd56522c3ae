"""Measure the speed of this plugin and of other code, side by side.

PyTorch uses as many threads as the environment variable OMP_NUM_THREADS says, otherwise one for each core.

Examples:
    python tools/benchmark.py all --repeats 5 --out benchmark.json
    python tools/benchmark.py step --batch-size 64 --precision bf16
    python tools/benchmark.py partial --batch-size 32
    python tools/benchmark.py archive --images 1000000 --repeats 3
    python tools/benchmark.py scoring --config configs/comparison/galr_rsicd.py --images 200 --captions 1000
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

from osdpm_plugin.errors import ConfigError
from osdpm_plugin.lab.benchmarks import (
    feature_extraction,
    input_pipeline,
    machine,
    pair_scoring,
    partial_step,
    recall,
    report,
    start_up,
    training_step,
)
from osdpm_plugin.launch import run_tool
from osdpm_plugin.utils.checks import check_int

ROOT = Path(__file__).resolve().parent.parent
LARGE = 10_000  # images of the test of memory
DEVICE = 'cuda' if torch.cuda.is_available() else 'cpu'
# The options of each measurement, with defaults. Without the option device it runs on the CPU.
DEFAULTS: dict[str, dict[str, Any]] = dict(
    step=dict(config=training_step.CONFIG, repeats=7, batch_size=16, precision='fp32', device=DEVICE),
    partial=dict(config=partial_step.CONFIG, repeats=5, batch_size=16, precision='fp32', device=DEVICE),
    input=dict(config=input_pipeline.CONFIG, repeats=7, images=512, batch_size=64, workers=2),
    extract=dict(config=feature_extraction.CONFIG, repeats=7, images=32, batch_size=16, device=DEVICE),
    recall=dict(repeats=7, images=1093),
    startup=dict(config=start_up.CONFIG, repeats=7),
    scoring=dict(config=pair_scoring.CONFIG, repeats=3, images=100, captions=500, size=256, shard=128, device=DEVICE),
    archive=dict(repeats=3, images=200_000, scenes=1000, batch_size=16, device=DEVICE),
    quickstart={},
)
ALL = ('step', 'input', 'extract', 'recall', 'startup')
TAKES = dict({name: tuple(defaults) for name, defaults in DEFAULTS.items()}, all=('repeats', 'device'))
Options = dict[str, Any]


def parse_args() -> tuple[str, dict[str, Any]]:
    """Read the command line: the measure, and the options that were given, ``out`` among them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        'what', choices=[*ALL, 'all', 'partial', 'scoring', 'archive', 'quickstart'], help='all: the first five'
    )
    parser.add_argument('--out', help='JSON file; results of other measures in it stay')
    for name, kind, meaning in (
        ('config', str, 'config whose model or pipeline is measured'),
        ('repeats', int, 'measurements of each side'),
        ('batch_size', int, 'images in a batch'),
        ('images', int, 'images; of an archive: tiles that are searched'),
        ('scenes', int, 'scenes of the archive of which one changes'),
        ('captions', int, 'captions'),
        ('size', int, 'pixels of a side'),
        ('shard', int, 'images and captions of a shard of the loops'),
        ('workers', int, 'processes of each data loader'),
        ('precision', str, 'fp32 or bf16'),
        ('device', str, 'cpu, cuda ...'),
    ):
        values = ', '.join(f'{what} {options[name]}' for what, options in DEFAULTS.items() if name in options)
        parser.add_argument(_option(name), type=kind, metavar='X', help=f'{meaning} (default: {values})')
    given = {key: value for key, value in vars(parser.parse_args()).items() if value is not None}
    return given.pop('what'), given


def _option(name: str) -> str:
    return f'--{name.replace("_", "-")}'


def check(what: str, given: Options) -> None:
    """Check the options before anything is measured.

    Raises:
        ConfigError: an option does not apply, is out of range, or names no file.
    """
    for key in given:
        if key not in ('out', *TAKES[what]):
            takes = ', '.join(map(_option, TAKES[what])) or 'none but --out'
            raise ConfigError(f'{_option(key)} does not apply to {what}, whose options are {takes}; leave it out')
    for key, value in given.items():
        if isinstance(value, int):
            check_int('', _option(key), value, least=0 if key == 'workers' else 1)
    if 'config' in given and not Path(given['config']).is_file():
        raise ConfigError(f'config file {given["config"]} does not exist; check --config')
    if 'out' in given:
        report.probe(given['out'])


def settle(name: str, given: Options) -> Options:
    """The options of one measure: its defaults, replaced by what was given."""
    options = {key: given.get(key, default) for key, default in DEFAULTS[name].items()}
    if 'config' in options:
        path = options.pop('config')
        options['cfg'] = Config.fromfile(given.get('config', ROOT / path))
    return options


def step(options: Options, rates: dict, folder: Path) -> list[dict[str, Any]]:
    """A training step."""
    return training_step.compare_steps(rates=rates, **options)


def step_of_last_blocks(options: Options, rates: dict, folder: Path) -> list[dict[str, Any]]:
    """A training step of the last blocks, from a cache."""
    return partial_step.compare_partial_steps(**options)


def read_input(options: Options, rates: dict, folder: Path) -> list[dict[str, Any]]:
    """The input pipeline."""
    return input_pipeline.compare_pipelines(folder=folder, count=options.pop('images'), **options)


def extract(options: Options, rates: dict, folder: Path) -> list[dict[str, Any]]:
    """Features of an archive, in float32 and in bfloat16."""
    return feature_extraction.compare_extraction(folder=folder, count=options.pop('images'), rates=rates, **options)


def find_recall(options: Options, rates: dict, folder: Path) -> list[dict[str, Any]]:
    """Recall, and its memory."""
    row = recall.compare_recall(count=options['images'], repeats=options['repeats'], rates=rates)
    large = recall.measure_memory(LARGE)
    added = large['added_bytes']
    memory = 'memory not measured' if added is None else f'{added / 2**20:.0f} MiB beside the embeddings'
    print(
        f'recall of {LARGE} x {recall.CAPTIONS * LARGE}: {large["seconds"]:.1f} s, {memory}; '
        f'all scores would take {large["matrix_bytes"] / 2**20:.0f} MiB'
    )
    return [dict(row, large=large)]


def start(options: Options, rates: dict, folder: Path) -> list[dict[str, Any]]:
    """Start-up."""
    return [start_up.compare_start_up(folder=folder, root=ROOT, **options)]


def score(options: Options, rates: dict, folder: Path) -> list[dict[str, Any]]:
    """Scores of pairs."""
    return [pair_scoring.score_noise(**options)]


def build_and_search(options: Options, rates: dict, folder: Path) -> list[dict[str, Any]]:
    """An archive: builds by two towers, an update, and searches; needs the extra archive and faiss-cpu."""
    from osdpm_plugin.lab.benchmarks import archive_build, archive_search

    tiles, scenes, repeats = (options.pop(name) for name in ('images', 'scenes', 'repeats'))
    rows = []
    for i, config in enumerate(archive_build.CONFIGS):
        cfg = Config.fromfile(ROOT / config)
        rows += archive_build.compare_build(cfg, folder / f'build{i}', repeats=repeats, **options)
    rows.append(
        archive_build.compare_update(Config.fromfile(ROOT / archive_build.SMALL), folder / 'update', scenes=scenes)
    )
    return rows + archive_search.compare_search(folder / 'search', repeats=repeats, count=tiles)


MEASURES: dict[str, Callable[[Options, dict, Path], list[dict[str, Any]]]] = dict(
    step=step,
    partial=step_of_last_blocks,
    input=read_input,
    extract=extract,
    recall=find_recall,
    startup=start,
    scoring=score,
    archive=build_and_search,
)


def measure(what: str, given: Options, folder: Path) -> None:
    """Measure, print, and write to ``--out``."""
    out = given.get('out')
    if what == 'quickstart':
        found = start_up.time_quickstart(ROOT, folder)
        print(f'quickstart: {found["seconds"]} s')
        if out:
            report.merge(out, what, found)
        return
    rows = []
    for name in ALL if what == 'all' else [what]:
        place = folder / name
        place.mkdir()
        options = settle(name, given)
        described = machine.describe(options.get('device', 'cpu'))  # each time, since the load changes
        measured = MEASURES[name](options, described['rates'], place)
        rows += measured
        if out:
            report.merge(out, name, dict(machine=described, rows=measured))
    print(report.table(rows))


def main() -> None:
    """Run the tool."""
    what, given = parse_args()
    check(what, given)
    MMLogger.get_instance('mmengine', log_level='ERROR')
    logging.getLogger().setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        measure(what, given, Path(folder))


if __name__ == '__main__':
    run_tool(main)
