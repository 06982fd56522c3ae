"""Training images -> the principal components of a `CompressedTower`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.logging import print_log
from mmengine.runner import save_checkpoint
from torch import Tensor
from tqdm import tqdm

from ..datasets.config_views import leaves
from ..errors import ConfigError
from ..models.backbones import CompressedTower
from ..registry import DATASETS, MODELS
from .extraction import loader_in_order


def fit_compression(cfg: Config, *, num_images: int, batch_size: int) -> str:
    """Fit the components of ``model.image_tower`` to images of the training split, through the pipeline of val.

    The whole tower is written to the file that its ``init_cfg`` names, where `tools/train.py` and
    `tools/cache_features.py` look for it.

    Args:
        cfg: config whose image tower is a `CompressedTower`.
        num_images: training images to look at, drawn by the config's seed; all where there are fewer.

    Returns:
        the file.

    Raises:
        ConfigError: the image tower is of another type, or names no file, or the preprocessor states no pixel
            statistics.
    """
    tower_cfg = cfg.model.image_tower
    file = (tower_cfg.get('init_cfg') or {}).get('checkpoint')
    if tower_cfg.type != 'CompressedTower' or not file:
        raise ConfigError(
            f'model.image_tower is {tower_cfg.type} with the file {file}; fitting needs a CompressedTower with '
            "init_cfg=dict(type='Pretrained', checkpoint=FILE)"
        )
    preprocessor: Any = MODELS.build(cfg.model.get('data_preprocessor') or dict(type='RetrievalDataPreprocessor'))
    if not preprocessor.has_statistics:
        raise ConfigError(
            'model.data_preprocessor states no mean and std; set those of the weights that the tower is initialised '
            'from, e.g. mean=(123.675, 116.28, 103.53), std=(58.395, 57.12, 57.375)'
        )
    tower: Any = MODELS.build(dict(tower_cfg, init_cfg=None))
    assert isinstance(tower, CompressedTower)
    tower.init_weights()
    device = torch.device(get_device())
    tower.tower.to(device, memory_format=torch.channels_last)  # faster convolutions on CPUs
    tower.to(device)
    preprocessor.to(device)
    pipeline = cfg.val_dataloader.dataset.pipeline
    dataset = DATASETS.build(dict(next(leaves(cfg.train_dataloader.dataset)), pipeline=pipeline))
    seed = cfg.get('randomness', {}).get('seed') or 0
    chosen = torch.randperm(len(dataset), generator=torch.Generator().manual_seed(seed))[:num_images].sort().values
    subset = torch.utils.data.Subset(dataset, chosen.tolist())
    loader = loader_in_order(subset, batch_size, cfg.val_dataloader.get('num_workers', 0))

    def images() -> Iterator[Tensor]:
        for batch in tqdm(loader, desc='images', unit='batch'):
            yield preprocessor(batch)['inputs']

    shares = tower.fit(images(), seed=seed)
    save_checkpoint(tower.cpu().state_dict(), file, backend_args=dict(backend='atomic_local'))
    kept = ', '.join(f'{100 * share:.1f} %' for share in shares)
    print_log(f'{file}: components keep {kept} of the variance (maps, then descriptor)', logger='current')
    return file
