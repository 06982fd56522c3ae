"""Folder of result files -> ``metafile.yml``: what was measured, in OpenMMLab's model-index form.

::

    configs/results/<experiment>/seed_<n>.json    a result file for each seed, see `schema`
                                 seed_<n>.npz     the hits of each query, where they are kept, see `queries`
                                 command.txt      how they were made, where it took more than ``tools/run_seeds.py``

``<experiment>`` is the name of a shipped config: ``osdpm_scenes``, or ``comparison/galr_ucm`` where its folder is
needed to tell it from others.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.fileio import dump

from ...errors import DataError
from ...search.shipped_configs import find_config, shipped_configs
from ...utils.files import write_text
from ...version import __version__
from .queries import stack_queries
from .schema import RunResult, read_result
from .statistics import bootstrap, percentile_interval
from .summary import summarise_seeds

TASK = 'Image-Text Retrieval'
PARTS = ('image_tower', 'text_tower', 'neck', 'text_neck', 'similarity', 'head')
OSDPM = {
    'Name': 'OSDPM',
    'Metadata': {'Architecture': ['DAPN', 'OSFCM']},
    'Paper': {
        'Title': 'Remote Sensing Image Text Retrieval Method Based on Object Semantic Prompt and Dual-Attention '
        'Perception',
        'URL': 'https://doi.org/10.11999/JEIT240946',
    },
    'README': 'osdpm_plugin/models/README.md',
    'Code': {'URL': 'osdpm_plugin/models/necks/dapn.py', 'Version': f'v{__version__}'},
}
COMPARED = {'Name': 'Compared methods', 'README': 'configs/README.md'}
HEADER = '# Written by: python tools/make_tables.py configs/results --metafile configs/metafile.yml\n'


def build_metafile(folder: Path) -> dict[str, Any]:
    """Result files below a folder -> content of a metafile, models in the order of their names.

    Args:
        folder: as above; one that is missing or empty gives no models.

    Returns:
        YAML-ready: ``{'Collections': [...], 'Models': [...]}``, recall in percent.

    Raises:
        DataError: a file is not valid or of another config than its folder says, or those of one folder differ in more
            than the seed.
        ConfigError: a folder bears the name of no shipped config.
    """
    experiments: dict[Path, list[Path]] = {}
    for path in sorted(folder.rglob('*.json')):
        experiments.setdefault(path.parent, []).append(path)
    models = [_model(where.relative_to(folder).as_posix(), paths) for where, paths in experiments.items()]
    return {'Collections': [OSDPM, COMPARED], 'Models': sorted(models, key=lambda model: model['Name'])}


def write_metafile(path: Path, folder: Path) -> int:
    """`build_metafile` of ``folder`` as YAML; returns the number of models.

    Raises:
        DataError: see `build_metafile`.
        ConfigError: see `build_metafile`, or ``path`` cannot be written.
    """
    content = build_metafile(folder)
    text = dump(content, file_format='yaml', sort_keys=False, allow_unicode=True, width=120)
    write_text(path, HEADER + text, '--metafile')
    return len(content['Models'])


def _model(experiment: str, paths: list[Path]) -> dict[str, Any]:
    """The entry of one experiment, from its result files."""
    file = find_config(experiment)
    name = next(name for name, path in shipped_configs().items() if path == file)
    read = [read_result(path) for path in paths]
    for path, result in zip(paths, read):
        if result.config.name != file.stem:
            raise DataError(
                f'{path} is a result of {result.config.name}, not of {experiment}; move it to the folder of that name'
            )
    results = sorted(read, key=lambda result: -1 if result.seed is None else result.seed)
    summary, first = summarise_seeds(paths), results[0]
    numbers = {name.replace('_', ' '): number for name, number in summary['metrics'][first.tie_policy].items()}
    shown = [f'{way} R@{k}' for way in ('i2t', 't2i') for k in first.topk] + ['Rsum', 'mR']
    config = f'configs/{name}.py'
    cfg = Config.fromfile(file)
    names = [other.rpartition('/')[2] for other in shipped_configs()]
    return {
        'Name': file.stem if names.count(file.stem) == 1 else name,
        'In Collection': (COMPARED if name.startswith('comparison/') else OSDPM)['Name'],
        'Config': config,
        'Metadata': {
            'Training Data': first.data.name,
            'Epochs': cfg.train_cfg.max_epochs,
            'Architecture': [cfg.model[part].type for part in PARTS if cfg.model.get(part)],
            'Seeds': [result.seed for result in results],
            'Commit': sorted(
                {'not known' if r.git is None else r.git.commit + ' dirty' * r.git.dirty for r in results}
            ),
            'Command': _command(paths[0].parent, config, results),
            **_training(results),
            'Config SHA256': first.config.sha256,
            'Data SHA256': first.data.sha256,
            'Checkpoint SHA256': [result.checkpoint.sha256 for result in results],
        },
        'Results': [
            {
                'Task': TASK,
                'Dataset': f'{first.data.name}, split {first.data.split}',
                'Metrics': {key: round(numbers[key]['mean'], 2) for key in shown},
                'Standard Deviation': {
                    key: None if numbers[key]['std'] is None else round(numbers[key]['std'], 2) for key in shown
                },
                **_interval(paths[0].parent, results),
                'Ties': first.tie_policy,
                'Checkpoint': first.selection,
            }
        ],
    }


def _training(results: list[RunResult]) -> dict[str, Any]:
    """What the trainings took, each seed's, where the results say it."""
    trainings = [result.training for result in results if result.training is not None]
    if len(trainings) < len(results):
        return {}
    return {
        'Training': {
            'Passes': [training.passes for training in trainings],
            'Steps': [training.steps for training in trainings],
            'Minutes': [training.minutes for training in trainings],
        }
    }


def _interval(folder: Path, results: list[RunResult]) -> dict[str, Any]:
    """The 95 % interval of Rsum over seeds and images, where the hits of the queries are kept."""
    files = [folder / result.queries_file for result in results]
    if not all(file.is_file() for file in files):
        return {}
    sums, sizes, _ = stack_queries(files)
    low, high = percentile_interval(100 * bootstrap(sums, sizes).sum(axis=1, keepdims=True))
    return {'95 % Interval': {'Rsum': [round(float(low[0]), 2), round(float(high[0]), 2)]}}


def _command(folder: Path, config: str, results: list[RunResult]) -> str:
    """What made the results: ``command.txt`` of their folder, or `tools/run_seeds.py` for their seeds."""
    noted = folder / 'command.txt'
    if noted.is_file():
        return noted.read_text(encoding='utf-8').strip()
    seeds = ' '.join(str(result.seed) for result in results)
    return f'python tools/run_seeds.py {config} --seeds {seeds}'
