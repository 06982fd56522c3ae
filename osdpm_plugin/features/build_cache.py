"""Config with frozen towers -> a folder with the features of its train, val and test images and captions."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.logging import print_log
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader
from tqdm import tqdm

from ..errors import ConfigError, DataError
from ..models.pooling import to_coarsest_grid
from ..models.retrievers import TOWERS
from ..models.retrievers.dihedral import turned
from ..registry import DATASETS, MODELS
from ..structures import as_image_features
from ..utils.checks import check_int, check_one_of
from ..utils.files import write_json
from .cache_files import DTYPES, GRIDS, VERSION, read_cache_manifest
from .cached_dataset import cached_steps
from .fingerprints import data_hash, tower_hash, tower_settings, transform_hash
from .store import SplitWriter, to_rows
from .use_cache import LOADERS, check_cacheable, split_folders

TEXT_BATCH = 256


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

    Of each image ``model.test_views`` turns are stored, through the pipeline of val; training draws one of them at a
    time, evaluation takes all.

    Args:
        augmented_views: further views of each training image, through the pipeline of training.
        dtype: ``float16``, ``bfloat16`` or ``float32``, of image features and words.
        grid: ``own``, or ``coarsest``: pool all maps to the grid of the coarsest, for `DAPN` with ``grid='coarsest'``.
        bf16: run the image tower in bfloat16.
        towers: ``image_tower``, ``text_tower`` or both; None: those that are frozen. The other tower runs in
            training as usual.

    Raises:
        DataError: ``out`` holds features of other towers or settings, or damaged files, or the disk is full.
        ConfigError: an argument is out of range, a tower is not frozen, or a loader reads a wrapper of data sets.
    """
    check_one_of('cache_features', 'dtype', dtype, DTYPES)
    check_one_of('cache_features', 'grid', grid, GRIDS)
    check_int('cache_features', 'augmented_views', augmented_views, least=0)
    check_int('cache_features', 'batch_size', batch_size)
    check_cacheable(cfg)
    model = MODELS.build(cfg.model)
    model.init_weights()
    model.eval()
    device = torch.device(get_device())
    model.to(device)
    towers = _frozen_towers(model, towers)
    datasets: dict[str, tuple[Any, Any, Any]] = {}
    for name in LOADERS:
        loader = cfg.get(name)
        for folder, holder, key in split_folders(loader) if loader is not None else ():
            if folder not in datasets:
                datasets[folder] = (loader, holder[key], DATASETS.build(holder[key]))
    plain_pipeline = cfg.val_dataloader.dataset.pipeline
    seed = cfg.get('randomness', {}).get('seed') or 0
    settings = dict(version=VERSION, towers=towers, tower_hash=tower_hash(model, towers))
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
    extraction = _Extraction(model, device, towers, grid, DTYPES[dtype], bf16)
    for split, (loader, part, dataset) in datasets.items():
        trains = loader is cfg.get('train_dataloader')
        plain = DATASETS.build(dict(part, pipeline=plain_pipeline, check='none')) if trains else dataset
        views = [(plain, turn) for turn in range(model.test_views)] + [(dataset, 0)] * (
            augmented_views if trains else 0
        )
        extraction.extract(views, Path(out, split), batch_size, loader.get('num_workers', 0), seed)
    print_log(f'Features are in {out}; train with --cfg-options feature_cache={out}', logger='current')


def loader_in_order(dataset: Any, batch_size: int, num_workers: int) -> DataLoader:
    """Batches of all items, each once and in order."""
    return Runner.build_dataloader(
        dict(
            dataset=dataset,
            batch_size=batch_size,
            num_workers=num_workers,
            sampler=dict(type='DefaultSampler', shuffle=False),
            collate_fn=dict(type='default_collate'),
        )
    )


def _frozen_towers(model: nn.Module, wanted: Optional[Sequence[str]]) -> list[str]:
    """The towers to cache, in the order of `TOWERS`."""
    trained = [tower for tower in TOWERS if any(p.requires_grad for p in getattr(model, tower).parameters())]
    towers = [tower for tower in TOWERS if (tower not in trained if wanted is None else tower in wanted)]
    wrong = [tower for tower in wanted or () if tower not in TOWERS or tower in trained]
    if wrong or not towers:
        raise ConfigError(
            f'the features of {", ".join(wrong or trained)} cannot be cached; name {" or ".join(TOWERS)}, and freeze '
            'it in the config'
        )
    return towers


class _Extraction:
    def __init__(
        self, model: nn.Module, device: torch.device, towers: list[str], grid: str, dtype: torch.dtype, bf16: bool
    ) -> None:
        self.model, self.device, self.towers = model, device, towers
        self.grid, self.dtype = grid, dtype
        self.precision = torch.bfloat16 if bf16 else torch.float32
        for layer in model.image_tower.modules():
            if next(layer.parameters(recurse=False), None) is not None:  # statistics of other modules stay as they are
                layer.to(dtype=self.precision, memory_format=torch.channels_last)  # faster convolutions on CPUs

    def extract(self, views: list[tuple[Any, int]], folder: Path, batch_size: int, num_workers: int, seed: int) -> None:
        """Write one split: images of all views (data set, turn), then captions."""
        plain = views[0][0]
        infos = [plain.get_data_info(i) for i in range(len(plain))]
        with_texts = 'text_tower' in self.towers
        tokens, rows = self._unique_tokens(plain, infos, folder.name) if with_texts else (np.empty((0, 0)), [])
        writer = SplitWriter(
            folder,
            image_ids=[info['image_id'] for info in infos],
            caption_ids=[i for info in infos for i in info['caption_ids']] if with_texts else [],
            caption_rows=rows,
            views=len(views),
        )
        if 'image_tower' in self.towers:
            self._write_images(views, writer, batch_size, num_workers, seed)
        if with_texts:
            self._write_texts(tokens, writer)

    def _write_images(
        self, views: list[tuple[Any, int]], writer: SplitWriter, batch_size: int, num_workers: int, seed: int
    ) -> None:
        num_images = len(views[0][0])
        total = len(views) * num_images
        name = writer.folder.name
        with tqdm(total=total, initial=writer.done_images, desc=f'{name}: images', unit='img') as bar:
            while writer.done_images < total:
                view, first = divmod(writer.done_images, num_images)
                dataset, turn = views[view]
                dataset.seed_epoch(seed, view)
                rest = torch.utils.data.Subset(dataset, range(first, num_images))
                for batch in loader_in_order(rest, batch_size, num_workers):
                    writer.write_images(self._image_features(batch, turn))
                    bar.update(len(batch['data_samples']))

    @torch.inference_mode()
    def _image_features(self, batch: dict, turn: int) -> dict[str, np.ndarray]:
        images = turned(self.model.data_preprocessor(batch)['inputs'], turn)
        images = images.to(dtype=self.precision, memory_format=torch.channels_last)
        features = as_image_features(self.model.image_tower(images))
        maps = to_coarsest_grid(features.maps) if self.grid == 'coarsest' else features.maps
        named = {f'map{i}': m for i, m in enumerate(maps)}
        if features.pooled is not None:
            named['pooled'] = features.pooled
        return {name: to_rows(value.float(), self.dtype) for name, value in named.items()}

    def _unique_tokens(self, dataset: Any, infos: list[dict], name: str) -> tuple[np.ndarray, list[int]]:
        """The different token rows (U, T) of all captions in order of appearance, and the row of each caption."""
        steps = [step for step in dataset.pipeline.transforms if type(step).__name__ == 'TokenizeCaptions']
        if not steps:
            raise ConfigError(f'the pipeline of split {name} has no TokenizeCaptions, so its captions cannot be cached')
        tokens = np.concatenate([steps[0].tokenizer(list(info['captions'])) for info in infos])
        row_of: dict[bytes, int] = {}
        rows = [row_of.setdefault(row.tobytes(), len(row_of)) for row in tokens]
        return tokens[np.unique(rows, return_index=True)[1]], rows

    @torch.inference_mode()
    def _write_texts(self, tokens: np.ndarray, writer: SplitWriter) -> None:
        with tqdm(total=len(tokens), initial=writer.done_texts, desc=f'{writer.folder.name}: captions') as bar:
            while writer.done_texts < len(tokens):
                chunk = tokens[writer.done_texts : writer.done_texts + TEXT_BATCH]
                texts = self.model.text_tower(torch.from_numpy(chunk).to(self.device))
                words = (texts.words * texts.mask[..., None]).float()
                words = F.pad(words, (0, 0, 0, tokens.shape[1] - words.shape[1]))  # (u, T, C)
                writer.write_texts(
                    dict(
                        text=texts.pooled.float().cpu().numpy(),
                        words=to_rows(words, self.dtype),
                        lengths=texts.mask.sum(dim=1).cpu().numpy(),
                    )
                )
                bar.update(len(chunk))
