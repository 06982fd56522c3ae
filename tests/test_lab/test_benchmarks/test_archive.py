"""Measurements of archives at a small size: both sides give the same answers, and the facts of a row are right."""

from __future__ import annotations

import numpy as np
import pytest
from mmengine.config import Config

from osdpm_plugin.lab.benchmarks import archive_build, archive_search
from tests.helpers.paths import CONFIGS
from tests.helpers.shrunk_configs import shrink


@pytest.fixture(scope='module')
def cfg(tmp_path_factory) -> Config:
    """A shipped config with tiny towers of open_clip."""
    return shrink(str(CONFIGS / 'osdpm_rsitmd.py'), tmp_path_factory.mktemp('cfg'))


def test_search(tmp_path):
    """FAISS and the archive name the same neighbours, with and without a filter; the index finds nearly all."""
    exact, narrow, quick = archive_search.compare_search(tmp_path, repeats=1, count=20_000, width=16)
    assert exact['recall'] == narrow['recall'] == 1.0 and quick['recall'] > 0.9
    assert 20 < narrow['passing'] < 70 and exact['tiles'] == 20_000
    assert exact['resident_bytes'] > 4 * 20_000 * 16 == exact['flat_bytes']
    assert exact['goal'] == '<= 1.2' and quick['goal'] == '>= 10'


def test_vectors_lie_round_centres():
    """A tile's best neighbour is much nearer than a tile drawn at random."""
    x = archive_search.clustered_vectors(2000, 32).astype(np.float32)
    np.testing.assert_allclose(np.linalg.norm(x, axis=1), 1, atol=2e-3)
    scores = x @ x.T - 2 * np.eye(len(x), dtype=np.float32)
    assert scores.max(1).mean() > np.median(scores) + 0.4


def test_build(tmp_path, cfg):
    (row,) = archive_build.compare_build(cfg, tmp_path, repeats=1, side=448, batch_size=4)
    assert row['tiles'] == 9 and row['read_tiles_per_second'] > 0 and row['goal'] == '>= 0.95'


def test_update(tmp_path, cfg):
    """One scene of three changes: its nine tiles are made again and no others."""
    row = archive_build.compare_update(cfg, tmp_path, scenes=3)
    assert (row['tiles'], row['changed_tiles'], row['memory_slope']) == (27, 9, None)
    assert row['what'] == 'update of one scene in 3'
