"""The smallest training that fills a checkpoint with everything that a Runner writes."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import numpy as np
import torch
from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from torch.utils.data import Dataset

from osdpm_plugin import engine  # noqa: F401  registers safe loading and the hook

COSINE = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=2),
    dict(type='CosineAnnealingLR', T_max=10, by_epoch=True, begin=0, end=10, convert_to_iter_based=False),
]
ONE_CYCLE = [dict(type='OneCycleLR', eta_max=0.1, total_steps=40, by_epoch=False)]
_names = itertools.count()


class Line(BaseModel):
    """A linear model behind batch normalisation."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = torch.nn.BatchNorm1d(3)
        self.line = torch.nn.Linear(3, 1)

    def forward(self, x, y, mode='tensor'):
        out = self.line(self.norm(x))
        return dict(loss=(out - y).square().mean()) if mode == 'loss' else out


class Points(Dataset):
    """Eight points, with meta information of all kinds."""

    def __init__(self, metainfo: dict) -> None:
        self.metainfo = metainfo

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int):
        return torch.full((3,), float(index)), torch.full((1,), float(index))


class Score(BaseMetric):
    """NumPy scalars, as metrics return them; grows with each evaluation unless told otherwise."""

    def __init__(self, scores) -> None:
        super().__init__()
        self.scores = iter(scores)

    def process(self, data_batch, data_samples) -> None:
        self.results.append(1)

    def compute_metrics(self, results) -> dict:
        return {'score': np.float64(next(self.scores)), 'half': np.float32(0.5), 'count': np.int64(len(results))}


@HOOKS.register_module(force=True)
class StopAt(Hook):
    """An interruption before an epoch, counted from 0, or behind it, before its validation."""

    def __init__(self, epoch: int, *, validation: bool = False) -> None:
        self.epoch, self.validation = epoch, validation

    def before_train_epoch(self, runner) -> None:
        if runner.epoch == self.epoch and not self.validation:
            raise KeyboardInterrupt

    def before_val_epoch(self, runner) -> None:
        if runner.epoch == self.epoch + 1 and self.validation:
            raise KeyboardInterrupt


def toy_runner(
    work_dir: Path, *, epochs: int, schedulers=COSINE, hook=None, scores=None, metainfo=None, custom=(), **kwargs
) -> Runner:
    """A Runner with optimizer, schedulers, EMA, evaluation and checkpoints, ready to train."""
    points = Points(metainfo or dict(classes=('a', 'b')))
    data = dict(dataset=points, batch_size=4, num_workers=0, collate_fn=dict(type='default_collate'))
    checkpoint = dict(type='SafeCheckpointHook', interval=1, max_keep_ckpts=1, save_best='score', rule='greater')
    checkpoint.update(hook or {})
    torch.manual_seed(0)
    return Runner(
        model=Line(),
        work_dir=str(work_dir),
        train_dataloader=dict(**data, sampler=dict(type='DefaultSampler', shuffle=True)),
        val_dataloader=dict(**data, sampler=dict(type='DefaultSampler', shuffle=False)),
        val_evaluator=Evaluator([Score(scores or itertools.count(1))]),
        val_cfg=dict(),
        train_cfg=dict(by_epoch=True, max_epochs=epochs),
        optim_wrapper=dict(optimizer=dict(type='AdamW', lr=0.01), clip_grad=dict(max_norm=1.0)),
        param_scheduler=[dict(scheduler) for scheduler in schedulers],
        custom_hooks=[dict(type='EMAHook'), *custom],
        default_hooks=dict(checkpoint=checkpoint),
        randomness=dict(seed=0),
        log_level='ERROR',
        experiment_name=f'toy-{os.getpid()}-{next(_names)}',
        **kwargs,
    )
