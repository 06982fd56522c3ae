"""Search, test, embeddings and heat maps of a checkpoint need no pretrained weights, and are what they were."""

from __future__ import annotations

import copy
import shutil

import numpy as np
import pytest
import torch
from mmengine.hooks import EMAHook

from osdpm_plugin.errors import CheckpointError
from osdpm_plugin.launch import build_runner, build_tester, embed_split, load_model
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


@pytest.mark.parametrize('way', ['test', 'embed', 'load'])
@pytest.mark.parametrize('hooks', [[], [dict(type='CheckpointCompatibilityHook', allow_missing=['image_tower.'])]])
def test_weights_that_the_checkpoint_lacks_are_read(trained, tmp_path, monkeypatch, way, hooks):
    saved, want = trained
    monkeypatch.chdir(tmp_path)
    cfg = copy.deepcopy(saved.cfg)
    cfg.custom_hooks, cfg.work_dir, checkpoint = hooks, str(tmp_path), str(tmp_path / 'part.pth')
    state = torch.load(saved.checkpoint)['state_dict']
    torch.save({key: value for key, value in state.items() if not key.startswith('image_tower.')}, checkpoint)
    if way == 'load' and not hooks:
        with pytest.raises(CheckpointError, match='keys missing'):
            load_model(cfg, checkpoint)
        return

    def run():
        if way == 'load':
            return load_model(cfg, checkpoint)
        if way == 'embed':
            return embed_split(cfg, checkpoint)
        cfg.load_from = checkpoint
        runner = build_tester(cfg)
        runner.test()
        return runner.model

    with pytest.raises(CheckpointError, match=rf"'{PLACE}' is not a file"):
        run()
    (tmp_path / 'weights').mkdir()
    torch.save(state, PLACE)
    cfg.experiment_name = f'again-{way}-{len(hooks)}'
    found = run()
    if way == 'embed':
        np.testing.assert_allclose(found.image_embed, want, rtol=0, atol=1e-6)
    else:
        assert all(torch.equal(value, state[key]) for key, value in found.state_dict().items())


def test_of_a_flexible_runner(trained, tmp_path, monkeypatch):
    """It initialises by itself, before it shares the weights out, unless it is told that a checkpoint has them all."""
    saved, _ = trained
    monkeypatch.chdir(tmp_path)
    cfg = copy.deepcopy(saved.cfg)
    cfg.work_dir, cfg.runner_type, cfg.load_from = str(tmp_path), 'FlexibleRunner', str(saved.checkpoint)
    assert 'retrieval/Rsum' in build_tester(cfg).test()
    cfg.experiment_name, cfg.custom_hooks = 'flexible', []
    with pytest.raises(CheckpointError, match=rf"'{PLACE}' is not a file"):
        build_tester(cfg).test()


def test_a_training_reads_them_before_its_averages(trained, tmp_path, monkeypatch):
    """`EMAHook` copies the model before it is initialised, and takes over its weights with the first step."""
    saved, _ = trained
    monkeypatch.chdir(tmp_path)
    cfg = copy.deepcopy(saved.cfg)
    cfg.work_dir, cfg.load_from, cfg.train_cfg.max_epochs = str(tmp_path), None, 1
    cfg.custom_hooks.append(dict(type='EMAHook', momentum=0.5, priority='NORMAL'))
    with pytest.raises(CheckpointError, match=rf"'{PLACE}' is not a file"):
        build_runner(cfg).train()
    (tmp_path / 'weights').mkdir()
    state = torch.load(saved.checkpoint)['state_dict']
    torch.save(state, PLACE)
    cfg.experiment_name = 'averages'
    runner = build_runner(cfg)
    runner.train()
    averaged = next(hook for hook in runner.hooks if isinstance(hook, EMAHook)).ema_model.module.state_dict()
    frozen = [key for key in averaged if '_tower.' in key]
    assert frozen and all(torch.equal(averaged[key], state[key]) for key in frozen)
