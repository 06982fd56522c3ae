"""A data set -> a loader of all its items, once and in order."""

from __future__ import annotations

from typing import Any

from mmengine.runner import Runner
from torch.utils.data import DataLoader


def loader_in_order(dataset: Any, batch_size: int, num_workers: int) -> DataLoader:
    """Batches as the towers see them in training, without shuffling."""
    return Runner.build_dataloader(
        dict(
            dataset=dataset,
            batch_size=batch_size,
            num_workers=num_workers,
            sampler=dict(type='DefaultSampler', shuffle=False),
            collate_fn=dict(type='default_collate'),
        )
    )
