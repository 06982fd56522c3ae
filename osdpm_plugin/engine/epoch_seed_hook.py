"""Hook that seeds random choices by seed and position in the run, so that a resumed run equals an uninterrupted one."""

from __future__ import annotations

import logging
from typing import Any, Optional

import numpy as np
import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import IterBasedTrainLoop

from ..datasets.sets.seed_by_position import repeats_alike, seedable
from ..registry import HOOKS


@HOOKS.register_module()
class EpochSeedHook(Hook):
    """Seed the augmentation of the data set in each training epoch, and dropout of this process in each iteration.

    The seed is that of the run (``randomness=dict(seed=...)``, or the one that mmengine drew). Each process draws its
    own dropout. Dropout is seeded in each iteration because a data loader uses the same generator, and how often it
    does depends on its workers and on whether the process has just started.

    A loop that counts iterations has no epochs: there augmentation depends on mmengine's seed of the workers.
    """

    priority = 'VERY_HIGH'

    def before_train(self, runner: Any) -> None:
        """Warn if an epoch shows images several times with the same augmentation."""
        dataset = runner.train_dataloader.dataset
        if not isinstance(runner.train_loop, IterBasedTrainLoop) and repeats_alike(dataset):
            print_log(
                f'{type(dataset).__name__} shows images several times in an epoch with the same augmentation; wrap it '
                "in dict(type='SeedByPosition', dataset=...) to draw a new augmentation each time",
                logger='current',
                level=logging.WARNING,
            )

    def before_train_epoch(self, runner: Any) -> None:
        """Seed all data sets that support it."""
        if isinstance(runner.train_loop, IterBasedTrainLoop):
            return
        for dataset in seedable(runner.train_dataloader.dataset):
            dataset.seed_epoch(runner.seed, runner.epoch)

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Optional[Any] = None) -> None:
        """Seed PyTorch."""
        state = np.random.SeedSequence((runner.seed, runner.iter, get_rank())).generate_state(1)
        torch.manual_seed(int(state[0]))
