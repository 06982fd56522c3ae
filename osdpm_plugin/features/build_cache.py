"""Config with towers that are frozen, whole or in part -> a folder with the features of its train, val and test images
and captions.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional, Sequence

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.logging import print_log
from torch import nn

from ..errors import ConfigError, DataError
from ..models.backbones.cutting import cuttable, unsteady
from ..models.retrievers import TOWERS
from ..registry import DATASETS, MODELS
from ..utils.checks import check_int, check_one_of
from ..utils.files import write_json
from .cache_files import CUT_VERSION, DTYPES, GRIDS, VERSION, read_cache_manifest
from .cached_dataset import cached_steps
from .extraction import Extraction
from .fingerprints import data_hash, depths_of, tower_hash, tower_settings, transform_hash
from .use_cache import LOADERS, check_cacheable, split_folders


def cache_features(
    cfg: Config,
    out: str,
    *,
    augmented_views: int = 0,
    dtype: str = 'float16',
    grid: str = 'own',
    bf16: bool = False,
    batch_size: int = 32,
    towers: Optional[Sequence[str]] = None,
) -> None:
    """Fill ``out`` with the features of the train, val and test data sets; rows that are complete are kept.

    Of a tower that is frozen in part (``trainable_blocks``, ``trainable_layers``, ``frozen_stages``) what its frozen
    part gives is stored, and training runs the rest, see `models.backbones.cutting`.

    Of each image ``model.test_views`` turns are stored, through the pipeline of val; training draws one of them at a
    time, evaluation takes all.

    Args:
        augmented_views: further views of each training image, through the pipeline of training.
        dtype: ``float16``, ``bfloat16`` or ``float32``, of image features and words.
        grid: ``own``, or ``coarsest``: pool all maps to the grid of the coarsest, for `DAPN` with ``grid='coarsest'``.
        bf16: run the image tower in bfloat16.
        towers: ``image_tower``, ``text_tower`` or both; None: those that are frozen, whole or up to a block. The other
            tower runs in training as usual.

    Raises:
        DataError: ``out`` holds features of other towers or settings, or damaged files, or the disk is full.
        ConfigError: an argument is out of range, a tower is not frozen or cannot be cut, or a loader reads a wrapper of
            data sets.
    """
    check_one_of('cache_features', 'dtype', dtype, DTYPES)
    check_one_of('cache_features', 'grid', grid, GRIDS)
    check_int('cache_features', 'augmented_views', augmented_views, least=0)
    check_int('cache_features', 'batch_size', batch_size)
    check_cacheable(cfg)
    model = MODELS.build(cfg.model)
    model.init_weights()
    model.train()
    device = torch.device(get_device())
    model.to(device)
    towers = _frozen_towers(model, towers)
    model.eval()
    depths = depths_of(model, towers)
    if 'image_tower' in depths and grid != 'own':
        raise ConfigError(f'--grid {grid} pools maps for a neck, but stages of image_tower read them; leave it out')
    datasets: dict[str, tuple[Any, Any, Any]] = {}
    for name in LOADERS:
        loader = cfg.get(name)
        for folder, holder, key in split_folders(loader) if loader is not None else ():
            if folder not in datasets:
                datasets[folder] = (loader, holder[key], DATASETS.build(holder[key]))
    plain_pipeline = cfg.val_dataloader.dataset.pipeline
    seed = cfg.get('randomness', {}).get('seed') or 0
    settings = dict(version=VERSION, towers=towers, tower_hash=tower_hash(model, towers))
    if depths:
        settings.update(version=CUT_VERSION, depths=depths)
    settings['tower_settings'] = transform_hash(tower_settings(cfg.model, towers))
    settings.update(test_views=model.test_views, augmented_views=augmented_views, dtype=dtype, grid=grid)
    settings.update(bf16=bf16, seed=seed, first_view=transform_hash(cached_steps(plain_pipeline, towers)))
    settings['splits'] = {
        split: dict(
            data_hash=data_hash(dataset),
            transform_hash=transform_hash(cached_steps(part['pipeline'], towers)),
        )
        for split, (_, part, dataset) in datasets.items()
    }
    before = read_cache_manifest(Path(out))
    if before is not None and before != settings:
        changed = sorted(key for key in settings if before.get(key) != settings[key])
        raise DataError(f'{out} holds features of another {", ".join(changed)}; delete it or name another folder')
    write_json(Path(out, 'manifest.json'), settings, 'cache file')
    extraction = Extraction(model, device, towers, grid, DTYPES[dtype], bf16)
    for split, (loader, part, dataset) in datasets.items():
        trains = loader is cfg.get('train_dataloader')
        plain = DATASETS.build(dict(part, pipeline=plain_pipeline, check='none')) if trains else dataset
        views = [(plain, turn) for turn in range(model.test_views)] + [(dataset, 0)] * (
            augmented_views if trains else 0
        )
        extraction.extract(views, Path(out, split), batch_size, loader.get('num_workers', 0), seed)
    print_log(f'Features are in {out}; train with --cfg-options feature_cache={out}', logger='current')


def _frozen_towers(model: nn.Module, wanted: Optional[Sequence[str]]) -> list[str]:
    """The towers to cache, in the order of `TOWERS`; the model must be in training mode."""
    trained, moving = [], {}
    for name in TOWERS:
        tower = getattr(model, name)
        if cuttable(tower) is not None:
            moving[name] = unsteady(tower)
        elif any(p.requires_grad for p in tower.parameters()):
            trained.append(name)
    trained += [name for name, found in moving.items() if found]
    towers = [tower for tower in TOWERS if (tower not in trained if wanted is None else tower in wanted)]
    wrong = [tower for tower in wanted or () if tower not in TOWERS or tower in trained]
    if wrong or not towers:
        names = wrong or trained
        why = [f'; {name}.{moving[name][0]} is in its frozen part and changes' for name in names if moving.get(name)]
        raise ConfigError(
            f'the features of {", ".join(names)} cannot be cached; name {" or ".join(TOWERS)}, and freeze it in the '
            f'config, whole or (not timm trunks) up to a block{"".join(why)}'
        )
    return towers
