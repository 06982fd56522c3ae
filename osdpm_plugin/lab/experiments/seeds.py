"""Config files and seeds -> one training and one evaluation for each, which can be interrupted and resumed at any time.

::

    <work dir>/<config>/seed_<n>/   state.json       config, options and hash; the stage: 'training' or 'trained'
                                    train.log        output of tools/train.py, likewise test.log
                                    test_results.json, test_queries.npz
    <work dir>/<config>/summary.json
    <work dir>/<config>_vs_<other>.json

A seed is finished when it has a valid result file with the same config hash and seed. A seed that was interrupted
during training continues with ``--resume``; one that was interrupted during evaluation is evaluated again.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Optional

from ...engine.latest_checkpoint import latest_checkpoint, numbered_checkpoints
from ...errors import ConfigError, DataError, OSDPMError
from ...launch import add_common_arguments, load_config
from ...launch.selection import check_selection, save_best_of
from ...pretrained.checkpoint import read_checkpoint
from ...utils.files import write_json
from .processes import Command, run_commands
from .provenance import config_sha256
from .queries import read_queries
from .record import RESULT_FILE
from .schema import RunResult, read_result


class Job(NamedTuple):
    """One seed of one config.

    Attributes:
        config: path of the config file.
        seed: from 0.
        folder: its work_dir.
        sha256: hash of the config, see `config_sha256`.
        keeps_best: whether training keeps the best checkpoint on val.
        options: ``--cfg-options`` as given.
    """

    config: str
    seed: int
    folder: Path
    sha256: str
    keeps_best: bool
    options: tuple[str, ...]

    @property
    def name(self) -> str:
        """For messages."""
        return f'{Path(self.config).stem} seed {self.seed}'

    @property
    def result_file(self) -> Path:
        """Path of its result file."""
        return self.folder / RESULT_FILE


def plan(configs: Sequence[str], seeds: Sequence[int], work_dir: str, options: Sequence[str]) -> list[list[Job]]:
    """Check all arguments before any training.

    Args:
        configs: paths of one or two config files.
        seeds: distinct, from 0.
        work_dir: folder for everything.
        options: ``key=value`` for ``--cfg-options``, for all configs.

    Returns:
        Jobs of each config, one for each seed.

    Raises:
        ConfigError: an argument or a config cannot be used, or a folder belongs to another experiment.
    """
    if len(set(seeds)) < len(seeds) or not seeds or min(seeds) < 0:
        raise ConfigError(f'--seeds {" ".join(map(str, seeds))} must be distinct ints from 0')
    if any(option.split('=')[0] in ('randomness.seed', 'work_dir') for option in options):
        raise ConfigError('--cfg-options cannot set randomness.seed or work_dir here; use --seeds and --work-dir')
    stems = [Path(config).stem for config in configs]
    if len(set(stems)) < len(stems):
        raise ConfigError(
            f'both configs are named {stems[0]}; rename one, since their results lie in folders of that name'
        )
    jobs = []
    for config, stem in zip(configs, stems):
        folder = Path(work_dir, stem)
        parser = argparse.ArgumentParser()
        add_common_arguments(parser)
        given = [config, '--work-dir', str(folder), *(['--cfg-options', *options] if options else [])]
        cfg = load_config(parser.parse_args(given))
        check_selection(cfg)
        sha256, keeps_best = config_sha256(cfg), save_best_of(cfg) is not None
        jobs.append([Job(config, s, folder / f'seed_{s}', sha256, keeps_best, tuple(options)) for s in seeds])
    for job in (job for part in jobs for job in part):
        _check_folder(job)
    return jobs


def finished(job: Job) -> Optional[RunResult]:
    """The result of a job; None unless its files exist, are valid, and belong to the same config and seed."""
    try:
        result = read_result(job.result_file)
        read_queries(job.folder / result.queries_file)
    except DataError:
        return None
    return result if (result.config.sha256, result.seed) == (job.sha256, job.seed) else None


def run_jobs(jobs: Sequence[Job], tools: Path, *, gpus: int = 1) -> None:
    """Train and evaluate all jobs that are not finished.

    Args:
        tools: folder of train.py and test.py.
        gpus: number of jobs at a time, each on its own GPU; with 1 the environment decides which device is used.

    Raises:
        OSDPMError: a run failed; the sentence names its log. The same command continues from there.
    """
    remaining = []
    for job in jobs:
        result = finished(job)
        if result is None:
            remaining.append(job)
        else:
            print(f'[{job.name}] finished before, Rsum {result.metrics[result.tie_policy]["Rsum"]:.2f}', flush=True)
    run_commands([(job.name, _steps(job, tools)) for job in remaining], gpus=gpus)
    for job in remaining:
        if finished(job) is None:
            raise DataError(f'{job.name} ended without a valid {job.result_file}; see {job.folder / "test.log"}')


def _steps(job: Job, tools: Path) -> Iterator[Command]:
    """Commands of one job; each is made after the previous one succeeded."""
    job.folder.mkdir(parents=True, exist_ok=True)
    state = _state(job)
    seconds = float(state.get('train_seconds', 0.0))
    options = ['--cfg-options', *job.options, f'randomness.seed={job.seed}']
    common = ['--work-dir', str(job.folder), *options]
    if state.get('stage') != 'trained':
        begun = (job.folder / 'last_checkpoint').is_file() or numbered_checkpoints(job.folder)
        resume = ['--resume'] if begun else []
        _write_state(job, 'training', seconds)
        start = time.monotonic()
        yield Command([str(tools / 'train.py'), job.config, *resume, *common], job.folder / 'train.log')
        seconds += time.monotonic() - start
        _write_state(job, 'trained', seconds)
    yield Command([str(tools / 'test.py'), job.config, str(chosen_checkpoint(job)), *common], job.folder / 'test.log')
    result = finished(job)
    if result is not None:
        numbers = result.metrics[result.tie_policy]
        print(f'[{job.name}] Rsum {numbers["Rsum"]:.2f}, mR {numbers["mR"]:.2f} ({result.selection})', flush=True)


def chosen_checkpoint(job: Job) -> Path:
    """The checkpoint to evaluate: the best on val if training keeps it, else the last.

    After an interruption there may be two best files; each contains its score.

    Raises:
        DataError: there is no checkpoint.
    """
    best = sorted(job.folder.glob('best_*.pth'))
    if job.keeps_best:
        if not best:
            raise DataError(f'{job.name}: training left no best_*.pth in {job.folder}; see {job.folder / "train.log"}')
        return best[0] if len(best) == 1 else max(best, key=lambda path: (_best_score(path), path.stat().st_mtime))
    last = latest_checkpoint(job.folder)
    if last is None:
        raise DataError(f'{job.name}: training left no checkpoint in {job.folder}')
    return Path(last)


def _best_score(path: Path) -> float:
    """Score on val in a best checkpoint; mmengine's default rule for recall, 'greater', is assumed."""
    hub = read_checkpoint(str(path), map_location='cpu').get('message_hub', {})
    return float(hub.get('runtime_info', {}).get('best_score', float('-inf')))


def _state(job: Job) -> dict:
    try:
        return json.loads((job.folder / 'state.json').read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ConfigError(f'{job.folder / "state.json"} cannot be read: {error}; remove {job.folder}') from error


def _write_state(job: Job, stage: str, seconds: float) -> None:
    content = dict(config_sha256=job.sha256, seed=job.seed, stage=stage, train_seconds=round(seconds, 1))
    content.update(config=job.config, options=list(job.options))
    write_json(job.folder / 'state.json', content, 'state file')


def _check_folder(job: Job) -> None:
    """Refuse a folder of another experiment."""
    if not job.folder.is_dir():
        return
    found = _state(job).get('config_sha256')
    if found is None and job.result_file.is_file():
        try:
            found = read_result(job.result_file).config.sha256
        except OSDPMError:
            found = None
    if found is None and (job.folder / 'last_checkpoint').is_file():
        found = 'not known'
    if found not in (None, job.sha256):
        raise ConfigError(
            f'{job.folder} holds a run of another config (hash {found[:12]}, now {job.sha256[:12]}); the config or '
            '--cfg-options changed: name another --work-dir, or remove that folder'
        )
