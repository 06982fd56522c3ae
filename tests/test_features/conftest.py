"""A config whose features are cached."""

import pytest
import torch

from tests.helpers.cached_runs import as_plain, fix_towers
from tests.helpers.shrunk_configs import shrink


@pytest.fixture
def cfg(tmp_path):
    """Tiny frozen OSDPM on UCM's layout whose images are not augmented, so that one cached view says all."""
    torch.manual_seed(0)
    cfg = shrink('configs/osdpm_ucm.py', tmp_path)
    as_plain(cfg)
    fix_towers(cfg, tmp_path / 'towers.pth')
    return cfg
