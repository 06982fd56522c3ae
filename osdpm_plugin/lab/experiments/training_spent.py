"""Folder of a training and its config -> passes, steps and minutes that the training took.

A *pass* is every training image with all its captions, five in the sets of the published tables. An epoch whose steps
read all captions of an image (``SampleCaptions(num=5)``) is a pass. Of epochs whose steps read one caption of an image,
drawn at random, five are a pass: as many captions are read, in five times as many steps, as an epoch of the released
code of the compared methods has; each caption once on average, some twice and some not at all.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Optional

from mmengine.config import Config

from ...engine.training_record_hook import RECORD_FILE
from .schema import TrainingInfo

CAPTIONS = 5  # of an image


def captions_in_step(cfg: Config) -> int:
    """Captions of an image that a training step reads, `CAPTIONS` at most."""
    dataset = cfg.train_dataloader.dataset
    steps = dataset.get('pipeline') or dataset.get('dataset', {}).get('pipeline') or []
    return next((min(step.get('num', 1), CAPTIONS) for step in steps if step['type'] == 'SampleCaptions'), CAPTIONS)


def passes(cfg: Config, epochs: int) -> float:
    """The passes of a number of epochs."""
    return epochs * captions_in_step(cfg) / CAPTIONS


def read_spent(folder: Path, cfg: Config) -> Optional[TrainingInfo]:
    """What the training in a folder took; None if it left no record (see `TrainingRecordHook`), or one that cannot be
    read.
    """
    try:
        found = json.loads((folder / RECORD_FILE).read_text(encoding='utf-8'))
        return TrainingInfo(
            passes=passes(cfg, found['epochs']),
            epochs=int(found['epochs']),
            steps=int(found['steps']),
            minutes=round(found['seconds'] / 60, 2),
            stopped=bool(found['stopped']),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
