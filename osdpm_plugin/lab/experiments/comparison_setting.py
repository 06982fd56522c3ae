"""Methods of the published tables, sets and towers -> config files and their overrides."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple, Optional

from mmengine.config import Config

from ...errors import ConfigError
from ...utils.checks import check_int
from .training_spent import CAPTIONS, captions_in_step

DATASETS = ('rsicd', 'rsitmd', 'ucm')
COMPARED = {
    'vsepp': 'VSE++',
    'scan_t2i': 'SCAN t2i',
    'scan_i2t': 'SCAN i2t',
    'camp_triplet': 'CAMP-triplet',
    'camp_bce': 'CAMP-bce',
    'mtfn': 'MTFN',
    'lw_mcr_b': 'LW-MCR(b)',
    'lw_mcr_d': 'LW-MCR(d)',
    'amfmn_soft': 'AMFMN-soft',
    'amfmn_fusion': 'AMFMN-fusion',
    'amfmn_sim': 'AMFMN-sim',
    'galr': 'GaLR',
    'hvsa': 'HVSA',
}
PAIRS = {  # of tower ``resnet50`` alone: the text side of one group of rows with the image side of the other
    'osdpm_gru': 'OSDPM with a GRU',
    'vsepp_minilm': 'VSE++ with MiniLM',
    'hvsa_minilm': 'HVSA with MiniLM',
}
OURS = {
    'plain': 'OSDPM without DAPN and OSFCM',
    'no_dapn': 'OSDPM without DAPN',
    'no_osfcm': 'OSDPM without OSFCM',
    'osdpm': 'OSDPM',
}
METHOD_NAMES = {**COMPARED, **PAIRS, **OURS}
TEACHERS = {'lw_mcr_d': 'amfmn_soft'}  # student -> teacher
# method -> what the name of its cache of features adds to that of the set; a frozen text tower is cached too
CACHES = {
    **{method: '_images' for method in COMPARED},
    'osdpm_gru': '_components',
    'vsepp_minilm': '_images_minilm',
    'hvsa_minilm': '_images_minilm',
}
# row -> the row of OSDPM that reads captions by the same text tower; on the published towers no compared method has one
LEADERS = {
    **{method: 'osdpm_gru' for method in COMPARED},
    **{method: 'osdpm' for method in ('vsepp_minilm', 'hvsa_minilm', 'plain', 'no_dapn', 'no_osfcm')},
}
# tower -> set -> the set's name in file names of configs
CONFIG_NAMES = {
    'published': {'rsicd': 'rsicd', 'rsitmd': 'rsitmd', 'ucm': 'ucm'},
    'resnet50': {'rsicd': 'rsicd150', 'ucm': 'ucm'},
}


class Setting(NamedTuple):
    """The options of one table.

    Attributes:
        dataset: one of `DATASETS`.
        tower: a key of `CONFIG_NAMES`.
        methods: keys of `METHOD_NAMES`.
        seeds: of each method.
        work_dir: folder for everything.
        configs: folder of the configs.
        epochs: of every method, its schedule compressed to them; each config's own when None.
        passes: at most, see `training_spent`; milestones of the learning rate stay where each config has them.
        data_root: folder of the set; the configs' own when None.
        split: to report, ``test`` or ``val``; the configs' own when None.
        cache: folder for cached features, for tower ``resnet50`` only; None runs the towers in every step.
        options: further ``key=value`` for ``--cfg-options``, for all methods.
    """

    dataset: str
    tower: str
    methods: tuple[str, ...]
    seeds: tuple[int, ...]
    work_dir: str
    configs: Path
    epochs: Optional[int] = None
    passes: Optional[int] = None
    data_root: Optional[str] = None
    split: Optional[str] = None
    cache: Optional[str] = None
    options: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """Folder of the results of this set and tower."""
        return Path(self.work_dir, f'{self.dataset}_{self.tower}')

    def config(self, method: str) -> Path:
        """Config file of a method, relative to the current folder.

        Raises:
            ConfigError: there is none.
        """
        name = CONFIG_NAMES[self.tower].get(self.dataset)
        if name is None:
            sets = ' and '.join(CONFIG_NAMES[self.tower])
            raise ConfigError(
                f'--tower {self.tower} has configs for {sets}, not for {self.dataset}; use --tower published'
            )
        folder = 'comparison/resnet50' if self.tower == 'resnet50' else 'comparison'
        ours = f'{name}_resnet50_minilm' if self.tower == 'resnet50' else name
        if method in COMPARED or method in PAIRS:
            file = f'{folder}/{method}_{name}.py'
        else:
            file = f'osdpm_{ours}.py' if method == 'osdpm' else f'ablations/{ours}_{method}.py'
        path = Path(self.configs, file)
        if not path.is_file():
            raise ConfigError(f'{method} has no config {path}; leave it out of --methods, or point --configs at it')
        return Path(os.path.relpath(path))

    def cache_of(self, method: str) -> Optional[str]:
        """Folder of the features that a method is trained on, see `CACHES`."""
        if self.cache is None or self.tower != 'resnet50':
            return None
        name = CONFIG_NAMES[self.tower][self.dataset]
        return str(Path(self.cache, name + CACHES.get(method, '')))


def schedule_options(cfg: Config, epochs: int) -> list[str]:
    """``key=value`` for ``--cfg-options`` that stretch or compress the schedule of a config to a number of epochs.

    Args:
        cfg: config with ``train_cfg.max_epochs`` and schedulers by epoch.
        epochs: from 1.

    Raises:
        ConfigError: ``epochs`` is not positive.
    """
    ratio = check_int('', '--epochs', epochs) / cfg.train_cfg.max_epochs

    def scaled(epoch: int) -> int:
        return max(1, round(epoch * ratio)) if epoch else 0

    schedulers = cfg.get('param_scheduler') or []
    options = [f'train_cfg.max_epochs={epochs}']
    for i, scheduler in enumerate(schedulers if isinstance(schedulers, list) else [schedulers]):
        if not scheduler.get('by_epoch', True):
            continue
        place = f'param_scheduler.{i}' if isinstance(schedulers, list) else 'param_scheduler'
        first = scheduler.get('begin', 0)
        begin = scaled(first)
        new: dict[str, Any] = {'begin': begin} if 'begin' in scheduler else {}
        if 'end' in scheduler:
            shortest = 1 if scheduler.get('convert_to_iter_based') else 2  # a slope needs two steps
            new['end'] = max(scaled(scheduler['end']), begin + shortest)
        if 'T_max' in scheduler:
            new['T_max'] = max(scaled(first + scheduler['T_max']) - begin, 1)
        if 'step_size' in scheduler:
            new['step_size'] = scaled(scheduler['step_size'])
        if 'milestones' in scheduler:
            new['milestones'] = str([scaled(epoch) for epoch in scheduler['milestones']]).replace(' ', '')
        options += [f'{place}.{key}={value}' for key, value in new.items()]
    return options


def most_epochs(setting: Setting, method: str) -> Optional[int]:
    """Epochs that the user's ``--epochs`` or ``--passes`` leave a method; None where its config's own stand.

    Raises:
        ConfigError: both are given, or ``--passes`` is not positive.
    """
    if setting.passes is None:
        return setting.epochs
    if setting.epochs is not None:
        raise ConfigError('--epochs and --passes exclude each other; give one')
    cfg = Config.fromfile(str(setting.config(method)))
    epochs = check_int('', '--passes', setting.passes) * CAPTIONS // captions_in_step(cfg)
    return epochs if epochs < cfg.train_cfg.max_epochs else None


def options_of(setting: Setting, method: str) -> list[str]:
    """``--cfg-options`` of a method, without those of its teacher."""
    options = []
    if setting.data_root is not None:
        loaders = ('train_dataloader', 'val_dataloader', 'test_dataloader')
        options += [f'{loader}.dataset.data_root={setting.data_root}' for loader in loaders]
    if setting.split is not None:
        on_test = Config.fromfile(str(setting.config(method))).val_dataloader.dataset.split == setting.split
        options += [f'test_dataloader.dataset.split={setting.split}', f'select_on_test={on_test}']
    epochs = most_epochs(setting, method)
    if epochs is not None and setting.epochs is not None:
        options += schedule_options(Config.fromfile(str(setting.config(method))), epochs)
    elif epochs is not None:
        options.append(f'train_cfg.max_epochs={epochs}')
    return [*options, *setting.options]
