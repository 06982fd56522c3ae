"""Every shipped config builds, trains two iterations, evaluates and resumes, offline; those of which nothing is trained
embed and score as open_clip does.
"""

import math

import numpy as np
import open_clip
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from open_clip.model import CLIP
from open_clip.transform import image_transform
from PIL import Image

from osdpm_plugin.search import RetrievalInferencer
from tests.helpers.generated_data import captions_of
from tests.helpers.paths import ROOT
from tests.helpers.short_runs import run_here
from tests.helpers.shrunk_configs import SHIPPED, TRAINED, ZERO_SHOT, shrink, shrink_zero_shot


def run_named(cfg, name):
    cfg.experiment_name = name
    return Runner.from_cfg(cfg)


def is_twin(config):
    """A config that differs in its data set, or in one value of a trial, from one that runs by default."""
    twins = {
        'comparison': ('_rsicd.py', '_rsitmd.py'),
        'resnet50': ('_rsicd150.py',),
        'regimes': ('_rsicd.py', '_rsicd150.py'),
        'trials': ('.py',),
        'zero_shot': ('clip_vitl14.py', 'laion_vitb32.py', 'remoteclip_rn50.py', 'georsclip_vitb32.py'),
        'few_captions': ('_plain.py', '_dapn.py', '_captioned.py', '_30.py', '_100.py'),
    }
    return config.endswith(twins.get(config.split('/')[-2], ('no config',)))


@pytest.mark.stack
@pytest.mark.parametrize('config', [pytest.param(c, marks=pytest.mark.slow) if is_twin(c) else c for c in TRAINED])
def test_config(tmp_path, config):
    cfg = shrink(config, tmp_path)
    key = cfg.default_hooks.checkpoint.save_best
    runner = run_named(cfg, f'{config}-train')
    runner.model.init_weights()
    before = {name: p.detach().clone() for name, p in runner.model.named_parameters()}
    runner.train()
    assert runner.iter == 2 and runner.epoch == 1
    moved = {name for name, p in runner.model.named_parameters() if not torch.equal(p, before[name])}
    trainable = {name for name, p in runner.model.named_parameters() if p.requires_grad}
    necks = {name for name in trainable if name.startswith(('neck', 'text_neck'))}
    assert moved <= trainable and moved and (moved & necks or not necks)

    cfg.resume, cfg.train_cfg.max_epochs = True, 2
    resumed = run_named(cfg, f'{config}-resume')
    resumed.train()
    assert resumed.iter == 4 and resumed.epoch == 2

    (best,) = (tmp_path / 'work_dir').glob('best_*.pth')
    cfg.resume, cfg.load_from = False, str(best)
    result = run_named(cfg, f'{config}-test').test()[key]
    assert math.isfinite(result) and 0 <= result <= 100


def vectors_of_open_clip(clip, weights, statistics, paths, texts):
    """Unit vectors of images and texts by open_clip's own model, transform and tokenizer."""
    model = CLIP(**clip).eval()
    model.load_state_dict(torch.load(weights, weights_only=True))
    pixels = image_transform(32, is_train=False, mean=statistics['mean'], std=statistics['std'])
    images = torch.stack([pixels(Image.open(path)) for path in paths])
    with torch.no_grad():
        tokens = open_clip.SimpleTokenizer(context_length=16)(texts)
        return model.encode_image(images, normalize=True).numpy(), model.encode_text(tokens, normalize=True).numpy()


@pytest.mark.stack
@pytest.mark.parametrize('config', [pytest.param(c, marks=pytest.mark.slow) if is_twin(c) else c for c in ZERO_SHOT])
def test_zero_shot_config(tmp_path, config):
    """No checkpoint, nothing to train, the vectors of open_clip, and their scores in an evaluation."""
    cfg, clip = shrink_zero_shot(config, tmp_path)
    shipped = Config.fromfile(ROOT / config).model.image_tower
    theirs = open_clip.get_pretrained_cfg(shipped.model, shipped.pretrained) or dict(
        mean=open_clip.OPENAI_DATASET_MEAN, std=open_clip.OPENAI_DATASET_STD
    )
    paths = [str(tmp_path / 'data' / 'RSICD_images' / f'scene_{i}.jpg') for i in range(18, 24)]
    texts = [text for i in range(18, 24) for text in captions_of(i)]
    images, captions = vectors_of_open_clip(clip, cfg.model.image_tower.pretrained, theirs, paths, texts)
    assert np.abs(images - images.mean(axis=0)).max() > 1e-2, 'images differ'

    inferencer = RetrievalInferencer(cfg, device='cpu', show_progress=False)
    assert not any(p.requires_grad for p in inferencer.model.parameters()) and not inferencer.model.training
    mine = inferencer.index(paths).embedding
    np.testing.assert_allclose(np.linalg.norm(mine, axis=1), 1, rtol=0, atol=1e-6)
    np.testing.assert_allclose(mine, images, rtol=0, atol=1e-5)
    mine = np.stack([v.embedding for v in inferencer.encoder.texts(texts, batch_size=7)])
    np.testing.assert_allclose(mine, captions, rtol=0, atol=1e-5)

    outcome = run_here('test', cfg.filename, '--out', tmp_path / 'scores.npz')
    assert outcome.code == 0, outcome.err
    with np.load(tmp_path / 'scores.npz') as arrays:
        np.testing.assert_allclose(arrays['scores'], images @ captions.T, rtol=0, atol=1e-5)


def test_there_are_configs_for_the_mission():
    """Each set has OSDPM and the three rows of its ablation."""
    names = {c.removeprefix('configs/') for c in SHIPPED}
    sets = ('rsitmd', 'rsicd', 'ucm', 'scenes')
    assert {f'osdpm_{s}.py' for s in sets} <= names
    assert {f'ablations/{s}_{part}.py' for s in sets for part in ('no_dapn', 'no_osfcm', 'plain')} <= names
