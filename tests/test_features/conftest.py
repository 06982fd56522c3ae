"""A config whose features are cached."""

import pytest
import torch

from tests.helpers.cached_runs import fix_towers
from tests.helpers.shrunk_configs import shrink


@pytest.fixture
def cfg(tmp_path):
    """Tiny frozen OSDPM on UCM's layout whose images are not augmented, so that one cached view says all."""
    torch.manual_seed(0)
    cfg = shrink('configs/osdpm_ucm.py', tmp_path)
    plain = cfg.val_dataloader.dataset.pipeline
    steps = cfg.train_dataloader.dataset.pipeline
    captions = [step for step in steps if step.type in ('CountObjects', 'SampleCaptions')]
    cfg.train_dataloader.dataset.pipeline = [*plain[:2], *captions, *plain[2:]]
    cfg.train_cfg.max_epochs = 2
    fix_towers(cfg, tmp_path / 'towers.pth')
    return cfg
