"""Search, test, embeddings and heat maps of a checkpoint need no pretrained weights, and are what they were."""

from __future__ import annotations

import copy
import shutil

import numpy as np
import pytest
import torch

from osdpm_plugin.errors import CheckpointError
from osdpm_plugin.launch import awaiting_checkpoint, embed_split, load_model
from osdpm_plugin.registry import MODELS
from osdpm_plugin.search import RetrievalInferencer
from osdpm_plugin.visualization import HeatmapModel
from tests.helpers.saved_models import save
from tests.helpers.short_runs import run_here
from tests.helpers.tiny_models import CLIP

PLACE = 'weights/clip.pt'  # relative to the folder where the training ran


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """A checkpoint, its folder, and the embeddings of its test images as the whole CLIP file was at hand."""
    folder = tmp_path_factory.mktemp('awaited')
    torch.manual_seed(5)
    towers = [MODELS.build(dict(type=f'OpenCLIP{half}Tower', model=CLIP)) for half in ('Image', 'Text')]
    state = {name: value for tower in towers for name, value in tower.state_dict().items()}
    (folder / 'weights').mkdir()
    torch.save(state, folder / PLACE)

    def name_weights(cfg):
        cfg.model.image_tower.pretrained = cfg.model.text_tower.pretrained = PLACE
        cfg.model.data_preprocessor = dict(type='RetrievalDataPreprocessor')

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        saved = save('configs/osdpm_rsicd.py', folder, name_weights)
        images = RetrievalInferencer(saved.cfg, saved.checkpoint, device='cpu', show_progress=False)
        embedding = images.index(saved.paths).embedding
    assert torch.equal(torch.load(saved.checkpoint)['state_dict']['image_tower.visual.proj'], state['visual.proj'])
    shutil.rmtree(folder / 'weights')
    return saved, embedding


def test_embeddings_are_those_of_before(trained, tmp_path, monkeypatch):
    saved, want = trained
    monkeypatch.chdir(tmp_path)
    inferencer = RetrievalInferencer(saved.cfg, saved.checkpoint, device='cpu', show_progress=False)
    np.testing.assert_array_equal(inferencer.index(saved.paths).embedding, want)
    assert inferencer.encoder.settings['image_tower']['pretrained'] == PLACE, 'the key of a cache stays'
    cfg = copy.deepcopy(saved.cfg)
    cfg.work_dir = str(tmp_path)
    split = embed_split(cfg, str(saved.checkpoint))
    assert list(split.image_paths) == saved.paths
    np.testing.assert_allclose(split.image_embed, want, rtol=0, atol=1e-6)
    model = HeatmapModel(cfg, load_model(cfg, str(saved.checkpoint)), name='tiny').model
    for name, value in torch.load(saved.checkpoint)['state_dict'].items():
        assert torch.equal(model.state_dict()[name], value), name


def test_the_test_tool(trained, tmp_path):
    saved, _ = trained
    scores = tmp_path / 'scores.npz'
    outcome = run_here('test', saved.cfg.filename, saved.checkpoint, '--work-dir', tmp_path, '--out', scores)
    assert outcome.code == 0, outcome.err
    with np.load(scores) as arrays:
        np.testing.assert_allclose(arrays['scores'], saved.scores, rtol=0, atol=1e-6)


def test_weights_that_the_checkpoint_may_lack_are_read(trained):
    saved, _ = trained
    for hooks in ([], [dict(type='CheckpointCompatibilityHook', allow_missing=['image_tower.'])]):
        cfg = copy.deepcopy(saved.cfg)
        cfg.custom_hooks = hooks
        with awaiting_checkpoint(cfg), pytest.raises(CheckpointError, match=rf"'{PLACE}' is not a file"):
            MODELS.build(cfg.model)
    with pytest.raises(CheckpointError, match=rf"'{PLACE}' is not a file"):  # as for a training
        MODELS.build(saved.cfg.model)
