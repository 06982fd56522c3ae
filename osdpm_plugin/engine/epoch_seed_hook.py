"""An epoch's random choices depend on the seed and its number alone, so that a resumed run repeats the uninterrupted
one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook

from ..registry import HOOKS


@HOOKS.register_module()
class EpochSeedHook(Hook):
    """At the start of each training epoch, seed dropout of this process and the augmentation of the data set.

    The seed is the run's (``randomness=dict(seed=...)``, or the one that mmengine drew). Processes draw different
    dropout.
    """

    priority = 'VERY_HIGH'

    def before_train_epoch(self, runner: Any) -> None:
        """Seed PyTorch, and the data set where it can be seeded."""
        state = np.random.SeedSequence((runner.seed, runner.epoch, get_rank())).generate_state(1)
        torch.manual_seed(int(state[0]))
        dataset = runner.train_dataloader.dataset
        for part in getattr(dataset, 'datasets', [dataset]):
            if hasattr(part, 'seed_epoch'):
                part.seed_epoch(runner.seed, runner.epoch)
