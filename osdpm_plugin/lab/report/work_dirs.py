"""Work dirs -> experiments, one a config, with the files that each of their runs has left.

Three kinds of folder are told apart by what lies in them::

    <run>/            test_results.json, or <start>/vis_data/scalars.json        tools/train.py, tools/test.py
    <experiment>/     seed_0/ seed_1/ ...: a run each                            tools/run_seeds.py, one config
    <experiments>/    folders of experiments                                     tools/run_seeds.py, several configs
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional, Union

from ...errors import ConfigError, DataError
from ...utils.files import noted_name
from ..experiments.record import RESULT_FILE
from ..experiments.schema import RunResult, read_result
from .scalars import Curves, read_curves

SEED = re.compile(r'seed_(\d+)')
TOOLS = 'tools/train.py or tools/run_seeds.py'


@dataclasses.dataclass(frozen=True)
class Run:
    """One training of one seed; what its work dir does not hold is None.

    Attributes:
        folder: its work dir.
        seed: as the result file or the name of the folder says.
        result: its evaluation.
        curves: what training logged.
        config: the file that mmengine wrote.
        train_seconds: wall time of training as tools/run_seeds.py measured it.
    """

    folder: Path
    seed: Optional[int]
    result: Optional[RunResult]
    curves: Optional[Curves]
    config: Optional[Path]
    train_seconds: Optional[float]

    @property
    def label(self) -> str:
        """For legends: 'seed 0', or the name of the folder."""
        return self.folder.name if self.seed is None else f'seed {self.seed}'


@dataclasses.dataclass(frozen=True)
class Experiment:
    """One config.

    Attributes:
        name: of the config; followed by the folder where another experiment has the same.
        folder: of a single run, or that of its seeds.
        runs: at least one, by seed.
    """

    name: str
    folder: Path
    runs: tuple[Run, ...]

    @property
    def evaluated(self) -> tuple[Run, ...]:
        """Runs with a result."""
        return tuple(run for run in self.runs if run.result is not None)

    @property
    def results(self) -> list[tuple[Path, RunResult]]:
        """Of the evaluated runs, each with its file."""
        return [(run.folder / RESULT_FILE, run.result) for run in self.runs if run.result is not None]


def read_experiments(folders: Sequence[Union[str, Path]]) -> list[Experiment]:
    """Read everything but pictures and checkpoints, of folders of runs, of seeds or of experiments, in their order.

    Raises:
        ConfigError: a folder does not exist, or an experiment is named twice.
        DataError: a folder holds no run, or a file in it is damaged.
    """
    if not folders:
        raise ConfigError(f'no work dir was given; name a folder that {TOOLS} wrote')
    places = [place for folder in folders for place in _experiment_folders(Path(folder))]
    repeated = [place for place, count in Counter(place.resolve() for place in places).items() if count > 1]
    if repeated:
        raise ConfigError(f'work dir {repeated[0]} was given twice; name each once')
    found = [_read_experiment(place) for place in places]
    names = Counter(experiment.name for experiment in found)
    return [
        one if names[one.name] == 1 else dataclasses.replace(one, name=f'{one.name} ({one.folder})') for one in found
    ]


def best_checkpoint(run: Run) -> Path:
    """The checkpoint of a run that was evaluated, else the best on val, else the last.

    Raises:
        DataError: its folder holds none.
    """
    names = [] if run.result is None else [run.result.checkpoint.file]
    names += [path.name for path in sorted(run.folder.glob('best_*.pth'), key=lambda path: -path.stat().st_mtime)]
    last = run.folder / 'last_checkpoint'
    if last.is_file():
        names.append(noted_name(last.read_text(encoding='utf-8', errors='replace')))  # the folder may have moved since
    found = next((run.folder / name for name in names if (run.folder / name).is_file()), None)
    if found is None:
        raise DataError(f'{run.folder} holds no checkpoint; train again, or name one with --checkpoint')
    return found


def _experiment_folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise ConfigError(f'work dir {folder} does not exist or is no folder; name one that {TOOLS} wrote')
    if _is_run(folder) or _seed_folders(folder):
        return [folder]
    inner = sorted(part for part in folder.iterdir() if part.is_dir() and _seed_folders(part))
    if not inner:
        raise DataError(
            f'{folder} holds no run: neither {RESULT_FILE}, nor */vis_data/scalars.json, nor seed_* folders; name a '
            f'folder that {TOOLS} wrote'
        )
    return inner


def _is_run(folder: Path) -> bool:
    return (folder / RESULT_FILE).is_file() or next(folder.glob('*/vis_data/scalars.json'), None) is not None


def _seed_folders(folder: Path) -> list[Path]:
    """Folders of seeds that were at least begun, by seed."""
    found = [
        part for part in folder.iterdir() if part.is_dir() and SEED.fullmatch(part.name) and next(part.iterdir(), None)
    ]
    return sorted(found, key=lambda part: int(part.name[len('seed_') :]))


def _read_experiment(folder: Path) -> Experiment:
    runs = tuple(_read_run(part) for part in ([folder] if _is_run(folder) else _seed_folders(folder)))
    names = [run.result.config.name for run in runs if run.result is not None]
    names += [run.config.stem for run in runs if run.config is not None]
    return Experiment(names[0] if names else folder.resolve().name, folder, runs)


def _read_run(folder: Path) -> Run:
    result = read_result(folder / RESULT_FILE) if (folder / RESULT_FILE).is_file() else None
    match = SEED.fullmatch(folder.resolve().name)
    seed = result.seed if result is not None else int(match[1]) if match else None
    seconds = _state(folder).get('train_seconds')
    return Run(
        folder=folder,
        seed=seed,
        result=result,
        curves=read_curves(folder),
        config=_config_of(folder, None if result is None else result.config.name),
        train_seconds=float(seconds) if isinstance(seconds, (int, float)) and seconds else None,
    )


def _config_of(folder: Path, name: Optional[str]) -> Optional[Path]:
    """The config in a run's folder: the one that was evaluated, or the newest."""
    found = sorted(folder.glob('*.py'), key=lambda path: (path.stem == name, path.stat().st_mtime))
    return found[-1] if found else None


def _state(folder: Path) -> dict[str, Any]:
    """What tools/run_seeds.py noted, if it did."""
    path = folder / 'state.json'
    if not path.is_file():
        return {}
    try:
        state = json.loads(path.read_text(encoding='utf-8'))
    except (OSError, ValueError) as error:
        raise DataError(f'{path} cannot be read: {error}; remove it') from error
    return state if isinstance(state, dict) else {}
