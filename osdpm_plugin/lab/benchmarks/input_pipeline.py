"""JPEG files -> batches in the training process, against mmpretrain's default ImageNet pipeline and torchvision's.

Every side, except in the rows ``decoded once``, decodes each file in each epoch, crops and flips at random, and returns
one tensor of 224 px for each batch with the same number of worker processes. Ours also returns captions, tokens and
object counts. mmpretrain's and our workers return uint8 pixels, torchvision's normalised float32 ones: four times the
bytes.

A pass is one epoch of warm, persistent workers; each pass is the next epoch, with new crops, captions and order, as in
the first epochs of a training. `TokenizeCaptions` keeps the tokens of captions that its worker has seen, so that its
share of the time falls from epoch to epoch; the share of kept captions is in each row.
"""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms
from torchvision.datasets import ImageFolder

from ...datasets.sets.seed_by_position import seedable
from ...errors import ConfigError
from ...utils.checks import check_int
from .photos import CAPTIONS, write_photos
from .report import Goal, comparison
from .timing import Pairs, min_median_max, rounds

CONFIG = 'configs/regimes/vitb32_finetune_rsitmd.py'
GOAL = Goal('at least', 1.5)
SIZE = 224
WARM_UP = 1  # epochs, in which workers start and decoded pixels are stored
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def loader_options(*, count: int, batch_size: int, workers: int) -> dict[str, Any]:
    """Keyword arguments of a `DataLoader` that reads ``count`` files in whole batches by so many processes.

    Raises:
        ConfigError: ``count`` is not a multiple of ``batch_size``, or a number is out of range.
    """
    for key, value, least in (('--images', count, 1), ('--batch-size', batch_size, 1), ('--workers', workers, 0)):
        check_int('', key, value, least=least)
    if count % batch_size:
        raise ConfigError(f'--images {count} must be a multiple of --batch-size {batch_size}')
    return dict(batch_size=batch_size, num_workers=workers, persistent_workers=workers > 0)


def our_loader(cfg: Config, root: Path, options: dict[str, Any]) -> DataLoader:
    """The training data loader of a config, its pipeline, sampler and collation, on the folder of `write_photos`."""
    loader = dict(cfg.train_dataloader.to_dict(), **options)
    loader['dataset'] = dict(
        type='CaptionRetrievalDataset',
        data_root=str(root),
        split=None,  # all images; a split would lose some of them to val
        pipeline=loader['dataset']['pipeline'],
        check='none',
    )
    return Runner.build_dataloader(loader, seed=0)


def decoded_once(cfg: Config, folder: Path) -> Config:
    """A copy of the config whose training images are decoded in the first epoch only, see `LoadDecodedImage`."""
    cfg = Config(cfg.to_dict())
    steps = cfg.train_dataloader.dataset.pipeline
    steps[0] = dict(type='LoadDecodedImage', folder=str(folder))
    return cfg


def mmpretrain_loader(root: Path, options: dict[str, Any]) -> DataLoader:
    """mmpretrain's ``imagenet_bs32``: its pipeline on its data set for folders, collated as its Runner does."""
    loader = dict(
        **options,
        sampler=dict(type='DefaultSampler', shuffle=True),
        dataset=dict(
            type='mmpretrain.CustomDataset',
            data_root=str(root),
            with_label=False,
            pipeline=[
                dict(type='LoadImageFromFile'),
                dict(type='mmpretrain.RandomResizedCrop', scale=SIZE),
                dict(type='RandomFlip', prob=0.5, direction='horizontal'),
                dict(type='mmpretrain.PackInputs'),
            ],
        ),
    )
    return Runner.build_dataloader(loader, seed=0)


def torchvision_loader(root: Path, options: dict[str, Any]) -> DataLoader:
    """torchvision's ``ImageFolder`` with the transforms of its ImageNet example."""
    crop, flip = transforms.RandomResizedCrop(SIZE), transforms.RandomHorizontalFlip()
    normalise = transforms.Normalize(IMAGENET_MEAN, IMAGENET_STD)
    dataset: Dataset = ImageFolder(str(root), transforms.Compose([crop, flip, transforms.ToTensor(), normalise]))
    return DataLoader(dataset, shuffle=True, **options)


def images_of(batch: Any) -> torch.Tensor:
    """The one tensor (B, 3, H, W) of a batch; mmpretrain's lists are stacked, as its data preprocessor does."""
    images = batch['inputs'] if isinstance(batch, dict) else batch[0]
    return torch.stack(images) if isinstance(images, list) else images


def epoch(loader: DataLoader, number: int) -> Iterator[torch.Tensor]:
    """The images of all batches of an epoch, seeded and shuffled as in a training of seed 0."""
    for dataset in seedable(loader.dataset):
        dataset.seed_epoch(0, number)
    if hasattr(loader.sampler, 'set_epoch'):  # torchvision's sampler has no such method and shuffles again by itself
        loader.sampler.set_epoch(number)
    yield from map(images_of, loader)


def passes(loader: DataLoader) -> Callable[[], int]:
    """A call that reads the next epoch of a loader, from epoch 0, and returns the number of images."""
    numbers = itertools.count()
    return lambda: sum(map(len, epoch(loader, next(numbers))))


def remembered(epoch: int, workers: int) -> float:
    """Mean share of captions that `TokenizeCaptions` has seen before, if each epoch draws one of five captions.

    A worker gets each image with probability 1 / ``workers``.
    """
    return 1 - (1 - 1 / (CAPTIONS * max(1, workers))) ** epoch


def compare_pipelines(
    cfg: Config, folder: Path, *, repeats: int, count: int = 512, batch_size: int = 64, workers: int = 2
) -> list[dict[str, Any]]:
    """Write the files and return rows of `report.comparison`: our pipeline, and our pipeline with `LoadDecodedImage`,
    each against mmpretrain's and against torchvision's, all in turns.

    Args:
        cfg: config whose training pipeline is ours.
        folder: empty; files and decoded pixels go there.
        repeats: epochs of each side.
        count: files.
        batch_size: images in a batch.
        workers: processes of each loader.
    """
    options = loader_options(count=count, batch_size=batch_size, workers=workers)
    root = folder / 'photos'
    size = write_photos(root, count)
    configs = {'train_pipeline': cfg, 'the same, decoded once': decoded_once(cfg, folder / 'decoded')}
    loaders = {name: our_loader(ours, root, options) for name, ours in configs.items()}
    loaders.update(mmpretrain=mmpretrain_loader(root, options), torchvision=torchvision_loader(root, options))
    threads = cv2.getNumThreads()
    cv2.setNumThreads(0)  # as the configs have it, in workers and without
    try:
        calls = [passes(loader) for loader in loaders.values()]
        seconds = dict(zip(loaders, rounds(calls, repeats=repeats, warm_up=WARM_UP)))
        steps = {name: steps_ms(ours, root, min(count, 64)) for name, ours in configs.items()}
    finally:
        cv2.setNumThreads(threads)
    return [
        comparison(
            what=f'input, {count} JPEG of 256 px, {workers} workers',
            ours=ours,
            theirs=theirs,
            pairs=Pairs(seconds[ours], seconds[theirs]),
            goal=GOAL,
            details=dict(
                bytes_per_file=size,
                images_per_second={name: count / min_median_max(seconds[name]).median for name in (ours, theirs)},
                captions_remembered=[remembered(WARM_UP + n, workers) for n in range(repeats)],
                steps_ms=steps[ours],
            ),
        )
        for ours in configs
        for theirs in ('mmpretrain', 'torchvision')
    ]


def steps_ms(cfg: Config, root: Path, count: int) -> dict[str, float]:
    """Milliseconds per image of each transform of our pipeline in this process, in the epoch after `WARM_UP` epochs.

    All random choices have one seed, so that two calls time the same crops and captions.
    """
    dataset: Any = our_loader(cfg, root, loader_options(count=count, batch_size=count, workers=0)).dataset
    np.random.seed(0)
    random.seed(0)
    totals: dict[str, float] = {}
    for _ in range(WARM_UP + 1):
        totals = {}
        for index in range(count):
            item = dataset.get_data_info(index)
            for step in dataset.pipeline.transforms:
                start = time.perf_counter()
                item = step(item)
                name = type(step).__name__
                totals[name] = totals.get(name, 0.0) + time.perf_counter() - start
    return {name: 1e3 * seconds / count for name, seconds in totals.items()}
