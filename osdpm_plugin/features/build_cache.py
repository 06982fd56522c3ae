"""Run the frozen towers of a config over its data sets and store what they see."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.runner import Runner
from torch import Tensor, nn
from tqdm import tqdm

from ..errors import ConfigError, DataError
from ..registry import DATASETS, MODELS
from ..structures import ImageFeatures, as_image_features
from .cached_dataset import cached_steps
from .fingerprints import data_hash, tower_hash, tower_settings, transform_hash
from .store import VERSION, SplitWriter, read_json, write_json
from .use_cache import LOADERS

TEXT_BATCH = 256
DTYPES = {'float16': np.float16, 'float32': np.float32}


def cache_features(
    cfg: Config, out: str, *, views: int, dtype: str, grid: str, autocast: bool, batch_size: int
) -> None:
    """Fill ``out`` with the features of the train, val and test data sets; what is complete is not done again.

    Args:
        cfg: config with frozen towers.
        out: folder of the cache.
        views: views of each training image: the first through val's pipeline, the others through training's own.
            Val and test have one.
        dtype: ``float16`` or ``float32``, of image features.
        grid: ``own``, or ``coarsest``: pool all maps to the grid of the coarsest, for `DAPN` with ``grid='coarsest'``.
        autocast: run the image tower in bfloat16.
        batch_size: images a step.

    Raises:
        DataError: ``out`` holds features of other towers or settings.
        ConfigError: an argument is out of range.
    """
    if dtype not in DTYPES or grid not in ('own', 'coarsest') or views < 1 or batch_size < 1:
        raise ConfigError(f'cannot cache with dtype={dtype!r}, grid={grid!r}, views={views}, batch_size={batch_size}')
    model = MODELS.build(cfg.model)
    model.init_weights()
    model.eval()
    device = torch.device('cuda' if torch.cuda.is_available() else 'cpu')
    model.to(device)
    datasets: dict[str, tuple[Any, Any]] = {}
    for name in LOADERS:
        loader = cfg.get(name)
        if loader is not None:
            datasets.setdefault(loader.dataset.split, (loader, DATASETS.build(loader.dataset)))
    plain_pipeline = cfg.val_dataloader.dataset.pipeline
    seed = cfg.get('randomness', {}).get('seed') or 0
    settings = dict(version=VERSION, tower_hash=tower_hash(model), views=views, dtype=dtype, grid=grid)
    settings['towers'] = transform_hash(tower_settings(cfg.model))
    settings.update(autocast=autocast, seed=seed, first_view=transform_hash(cached_steps(plain_pipeline)))
    settings['splits'] = {
        split: dict(data_hash=data_hash(dataset), transform_hash=transform_hash(cached_steps(loader.dataset.pipeline)))
        for split, (loader, dataset) in datasets.items()
    }
    before = read_json(Path(out, 'manifest.json'))
    if before is not None and before != settings:
        changed = sorted(key for key in settings if before.get(key) != settings[key])
        raise DataError(f'{out} holds features of another {", ".join(changed)}; delete it or name another folder')
    write_json(Path(out, 'manifest.json'), settings)
    extraction = _Extraction(model, device, grid, DTYPES[dtype], autocast)
    for split, (loader, dataset) in datasets.items():
        of_views = [dataset]
        if loader is cfg.get('train_dataloader'):
            plain = DATASETS.build(dict(loader.dataset, pipeline=plain_pipeline, check='none'))
            of_views = [plain] + [dataset] * (views - 1)
        extraction.extract(of_views, Path(out, split), batch_size, loader.get('num_workers', 0), seed)
    print_log(f'Features are in {out}; train with --cfg-options feature_cache={out}', logger='current')


class _Extraction:
    def __init__(self, model: nn.Module, device: torch.device, grid: str, dtype: Any, autocast: bool) -> None:
        self.model, self.device, self.grid, self.dtype, self.autocast = model, device, grid, dtype, autocast

    def extract(self, of_views: list, folder: Path, batch_size: int, num_workers: int, seed: int) -> None:
        """Write one split: images of all views, then captions."""
        plain = of_views[0]
        infos = [plain.get_data_info(i) for i in range(len(plain))]
        writer = SplitWriter(
            folder,
            image_ids=[info['image_id'] for info in infos],
            caption_ids=[i for info in infos for i in info['caption_ids']],
            views=len(of_views),
        )
        total = len(of_views) * len(infos)
        with tqdm(total=total, initial=writer.done_images, desc=f'{folder.name}: images', unit='img') as bar:
            while writer.done_images < total:
                view, first = divmod(writer.done_images, len(infos))
                of_views[view].seed_epoch(seed, view)
                rest = torch.utils.data.Subset(of_views[view], range(first, len(infos)))
                for batch in _loader(rest, batch_size, num_workers):
                    writer.write_images(self._see(batch))
                    bar.update(len(batch['data_samples']))
        self._read_texts(plain, infos, writer, folder.name)

    @torch.inference_mode()
    def _see(self, batch: dict) -> dict[str, np.ndarray]:
        images = self.model.data_preprocessor(batch)['inputs']
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.autocast):
            features = as_image_features(self.model.image_tower(images))
        return {name: value.float().cpu().numpy().astype(self.dtype) for name, value in self._named(features).items()}

    def _named(self, features: ImageFeatures) -> dict[str, Tensor]:
        maps = features.maps
        if self.grid == 'coarsest':
            size = min((m.shape[-2:] for m in maps), key=lambda s: s[0] * s[1])
            maps = tuple(F.adaptive_avg_pool2d(m, tuple(size)) for m in maps)
        named = {f'map{i}': m for i, m in enumerate(maps)}
        return named if features.pooled is None else dict(named, pooled=features.pooled)

    @torch.inference_mode()
    def _read_texts(self, dataset: Any, infos: list[dict], writer: SplitWriter, name: str) -> None:
        steps = [step for step in dataset.pipeline.transforms if type(step).__name__ == 'TokenizeCaptions']
        if not steps:
            raise ConfigError(f'the pipeline of split {name} has no TokenizeCaptions, so its captions cannot be cached')
        captions = [caption for info in infos for caption in info['captions']]
        with tqdm(total=len(captions), initial=writer.done_texts, desc=f'{name}: captions', unit='cap') as bar:
            while writer.done_texts < len(captions):
                chunk = captions[writer.done_texts : writer.done_texts + TEXT_BATCH]
                tokens = torch.from_numpy(steps[0].tokenizer(chunk)).to(self.device)
                writer.write_texts(self.model.text_tower(tokens).pooled.float().cpu().numpy())
                bar.update(len(chunk))


def _loader(dataset: Any, batch_size: int, num_workers: int) -> Any:
    return Runner.build_dataloader(
        dict(
            dataset=dataset,
            batch_size=batch_size,
            num_workers=num_workers,
            sampler=dict(type='DefaultSampler', shuffle=False),
            collate_fn=dict(type='default_collate'),
        )
    )
