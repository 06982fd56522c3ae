"""JPEG files -> batches in the training process, against mmpretrain's default ImageNet pipeline and torchvision's.

Every side, but for the rows ``decoded once``, decodes each file in each epoch, crops and flips at random, and delivers
one tensor of 224 px a batch with the same number of worker processes. Ours delivers captions, tokens and object counts
besides. A pass is one epoch of warm, persistent workers.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import cv2
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms
from torchvision.datasets import ImageFolder

from ..errors import ConfigError
from .photos import write_photos
from .report import Goal, comparison
from .timing import in_turns

CONFIG = 'configs/regimes/vitb32_finetune_rsitmd.py'
GOAL = Goal('at least', 1.5)
SIZE = 224
WARM_UP = 5  # epochs, after which most of five captions have been drawn once, as in most epochs of a training
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Shape:
    """What is read: ``count`` files a pass, in batches of ``batch_size``, by ``workers`` processes.

    Raises:
        ConfigError: ``count`` is no multiple of ``batch_size``, or a number is out of range.
    """

    def __init__(self, *, count: int, batch_size: int, workers: int) -> None:
        if batch_size < 1 or workers < 0 or count < batch_size or count % batch_size:
            raise ConfigError(
                f'--images {count} must be a multiple of --batch-size {batch_size}, and --workers {workers} at least 0'
            )
        self.count = count
        self.batch_size = batch_size
        self.workers = workers


def our_loader(cfg: Config, root: Path, shape: Shape) -> DataLoader:
    """The training data loader of a config on the folder of `write_photos`.

    Args:
        cfg: whose train_dataloader is taken: pipeline, sampler, collation.
        root: folder.
        shape: of a pass.
    """
    loader = cfg.train_dataloader.to_dict()
    loader.update(batch_size=shape.batch_size, num_workers=shape.workers, persistent_workers=shape.workers > 0)
    loader['dataset'] = dict(
        type='CaptionRetrievalDataset',
        data_root=str(root),
        split=None,  # all; a split would give up a part as val
        pipeline=loader['dataset']['pipeline'],
        check='none',
    )
    loader = Runner.build_dataloader(loader, seed=0)
    loader.dataset.seed_epoch(0, 0)  # as EpochSeedHook does in training
    return loader


def decoded_once(cfg: Config, folder: Path) -> Config:
    """A copy of the config whose training images are decoded in the first epoch alone, see `LoadDecodedImage`."""
    cfg = Config(cfg.to_dict())
    steps = cfg.train_dataloader.dataset.pipeline
    steps[0] = dict(type='LoadDecodedImage', folder=str(folder))
    return cfg


def mmpretrain_loader(root: Path, shape: Shape) -> DataLoader:
    """mmpretrain's ``imagenet_bs32``: its pipeline on its data set for folders, collated as its Runner does."""
    loader = dict(
        batch_size=shape.batch_size,
        num_workers=shape.workers,
        persistent_workers=shape.workers > 0,
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


def torchvision_loader(root: Path, shape: Shape) -> DataLoader:
    """torchvision's ``ImageFolder`` with the transforms of its ImageNet example."""
    dataset: Dataset = ImageFolder(
        str(root),
        transforms.Compose(
            [
                transforms.RandomResizedCrop(SIZE),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(IMAGENET_MEAN, IMAGENET_STD),
            ]
        ),
    )
    return DataLoader(
        dataset,
        batch_size=shape.batch_size,
        shuffle=True,
        num_workers=shape.workers,
        persistent_workers=shape.workers > 0,
    )


def images_of(batch: Any) -> torch.Tensor:
    """The one tensor (B, 3, H, W) of a batch; mmpretrain's lists are stacked, as its data preprocessor does."""
    images = batch['inputs'] if isinstance(batch, dict) else batch[0]
    return torch.stack(images) if isinstance(images, list) else images


def epoch(loader: DataLoader) -> Callable[[], int]:
    """A call that reads all batches of a loader once and returns the number of images."""

    def read() -> int:
        return sum(len(images_of(batch)) for batch in loader)

    return read


def compare_pipelines(
    cfg: Config, folder: Path, *, repeats: int, count: int = 512, batch_size: int = 64, workers: int = 2
) -> Iterator[dict[str, Any]]:
    """Write the files, then rows of `report.comparison`: our pipeline, and our pipeline with `LoadDecodedImage`, each
    against mmpretrain's and against torchvision's.

    Args:
        cfg: config whose training pipeline is ours.
        folder: empty; files and decoded pixels go there.
        repeats: epochs of each side.
        count: files.
        batch_size: images a batch.
        workers: processes of each loader.
    """
    shape = Shape(count=count, batch_size=batch_size, workers=workers)
    root = folder / 'photos'
    size = write_photos(root, count)
    cv2.setNumThreads(0)  # as the configs have it, in workers and without
    kept = decoded_once(cfg, folder / 'decoded')
    for ours, ours_cfg, name, build in (
        ('train_pipeline', cfg, 'mmpretrain', mmpretrain_loader),
        ('train_pipeline', cfg, 'torchvision', torchvision_loader),
        ('the same, decoded once', kept, 'mmpretrain', mmpretrain_loader),
        ('the same, decoded once', kept, 'torchvision', torchvision_loader),
    ):
        call = epoch(our_loader(ours_cfg, root, shape))
        pairs = in_turns(call, epoch(build(root, shape)), repeats=repeats, warm_up=WARM_UP)
        yield comparison(
            f'input, {count} JPEG of 256 px, {workers} workers',
            ours,
            name,
            pairs,
            GOAL,
            bytes_per_file=size,
            images_per_second={
                side: count / sorted(seconds)[len(seconds) // 2] for side, seconds in pairs._asdict().items()
            },
            steps_ms=steps_ms(ours_cfg, root, min(count, 64)),
        )


def steps_ms(cfg: Config, root: Path, count: int) -> dict[str, float]:
    """Milliseconds an image of each transform of our pipeline, in this process."""
    shape = Shape(count=count, batch_size=count, workers=0)
    dataset: Any = our_loader(cfg, root, shape).dataset
    totals: dict[str, float] = {}
    for _ in range(2):  # the first time fills what transforms remember
        totals = {}
        for index in range(count):
            item = dataset.get_data_info(index)
            for step in dataset.pipeline.transforms:
                start = time.perf_counter()
                item = step(item)
                name = type(step).__name__
                totals[name] = totals.get(name, 0.0) + time.perf_counter() - start
    return {name: 1e3 * seconds / count for name, seconds in totals.items()}
