"""The examples of docstrings run, and every public entry has one."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import osdpm_plugin
from osdpm_plugin.registry import MODELS
from osdpm_plugin.search.shipped_configs import read_config

PACKAGE = Path(osdpm_plugin.__file__).parent
MODULES = sorted(
    '.'.join(file.relative_to(PACKAGE.parent).with_suffix('').parts)
    for file in PACKAGE.rglob('*.py')
    if '    >>> ' in file.read_text(encoding='utf-8')
)
ENTRIES = [
    'osdpm_plugin.datasets.CaptionDataset',
    'osdpm_plugin.evaluation.ImageTextRecall',
    'osdpm_plugin.evaluation.ranks_from_scores',
    'osdpm_plugin.evaluation.recall_at',
    'osdpm_plugin.models.losses.ContrastiveLoss',
    'osdpm_plugin.models.losses.MatchingBCELoss',
    'osdpm_plugin.models.losses.TripletLoss',
    'osdpm_plugin.models.losses.info_nce',
    'osdpm_plugin.models.losses.prior_clustering',
    'osdpm_plugin.models.necks.DAPN',
    'osdpm_plugin.models.necks.GlobalNeck',
    'osdpm_plugin.search.RetrievalInferencer',
    'osdpm_plugin.utils.checks.check_int',
]

pytestmark = pytest.mark.stack


def a_checkpoint_and_images(folder: Path) -> None:
    """What the example of the inferencer finds in its folder; the weights are random."""
    torch.manual_seed(0)
    torch.save(dict(state_dict=MODELS.build(read_config('osdpm_scenes').model).state_dict()), folder / 'best.pth')
    (folder / 'images').mkdir()
    for name, brightness in (('harbour', 60), ('river', 200)):
        Image.fromarray(np.full((64, 64, 3), brightness, np.uint8)).save(folder / 'images' / f'{name}.png')


def an_archive(folder: Path) -> None:
    """What the example of `Archive` finds: one scene at 117 east, 36 north; the weights are random."""
    from osdpm_plugin.archive.api import build_archive
    from osdpm_plugin.archive.grid import TileGrid
    from tests.helpers.archives import patchwork, write_scene

    torch.manual_seed(0)
    torch.save(dict(state_dict=MODELS.build(read_config('osdpm_scenes').model).state_dict()), folder / 'best.pth')
    scene = write_scene(folder / 'scene.tif', patchwork((64, 64), dict(green=(0, 0, 32, 64))))
    build_archive(
        str(scene),
        folder / 'archive',
        config='osdpm_scenes',
        checkpoint=folder / 'best.pth',
        grid=TileGrid(32),
        device='cpu',
        show_progress=False,
    )


PREPARE = {'osdpm_plugin.search.inferencer': a_checkpoint_and_images, 'osdpm_plugin.archive.archive': an_archive}


@pytest.mark.parametrize('name', MODULES)
def test_examples_run(name, tmp_path, monkeypatch):
    PREPARE.get(name, lambda folder: None)(tmp_path)
    monkeypatch.chdir(tmp_path)
    found = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert found.attempted and not found.failed, 'see the output above'


@pytest.mark.parametrize('name', ENTRIES)
def test_public_entries_have_an_example(name):
    module, _, entry = name.rpartition('.')
    assert '>>> ' in getattr(importlib.import_module(module), entry).__doc__
