"""Heat maps of whole models: relevance lies on what was planted, whatever the shape of the image; the tool."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from PIL import Image

from osdpm_plugin.errors import ConfigError, DataError
from osdpm_plugin.launch import build_runner, load_model
from osdpm_plugin.visualization import HeatmapModel
from osdpm_plugin.visualization.heatmap import WIDTH
from osdpm_plugin.visualization.heatmap_overlay import enlarge
from tests.helpers.bright_rectangles import SHAPES, centre_of, plant
from tests.helpers.shrunk_configs import shrink
from tests.helpers.tools import run_tool_here

TOOL = 'visualize/heatmap.py'


@pytest.fixture(scope='module')
def models(tmp_path_factory):
    """Name -> config file and checkpoint: an OSDPM and the plain model, both random."""
    made = {}
    for name in ('osdpm_rsicd', 'ablations/rsicd_plain'):
        folder = tmp_path_factory.mktemp('model')
        cfg = shrink(f'configs/{name}.py', folder)
        cfg.dump(folder / f'{Path(name).name}.py')
        runner = build_runner(cfg)
        torch.nn.init.constant_(getattr(runner.model.neck, 'gate', torch.empty(1)), 0.5)
        runner.save_checkpoint(str(folder), 'model.pth', save_optimizer=False, save_param_scheduler=False)
        made[Path(name).name] = str(folder / f'{Path(name).name}.py'), str(folder / 'model.pth')
    return made


@pytest.fixture(scope='module')
def model(models):
    """It sees whole images, squeezed."""
    config, checkpoint = models['osdpm_rsicd']
    cfg = Config.fromfile(config)
    steps = cfg.test_dataloader.dataset.pipeline
    cfg.test_dataloader.dataset.pipeline = [steps[0], dict(type='Resize', scale=(32, 32), backend='pillow'), *steps[3:]]
    return HeatmapModel(cfg, load_model(cfg, checkpoint), name='tiny')


@pytest.fixture(scope='module')
def centred(models):
    """It sees the central square, as the config has it."""
    config, checkpoint = models['osdpm_rsicd']
    cfg = Config.fromfile(config)
    return HeatmapModel(cfg, load_model(cfg, checkpoint), name='tiny')


def bright(images: torch.Tensor) -> torch.Tensor:
    """An embedding that turns with the mean brightness of what was bright or dark in the normalised image."""
    level = (images.mean(dim=1) > 0).double().mean(dim=(1, 2))
    return F.normalize(torch.stack([level, torch.full_like(level, 0.2)], dim=1), dim=1)


@pytest.mark.parametrize(('height', 'width'), SHAPES)
def test_relevance_lies_on_what_was_planted(tmp_path, monkeypatch, model, height, width):
    top, left = round(0.55 * height), round(0.2 * width)
    bottom, right = top + round(0.25 * height), left + round(0.25 * width)
    path = plant(tmp_path / 'a.png', height, width, (top, bottom, left, right))
    monkeypatch.setattr(model, '_embed', bright)
    seen = model.explain(path, grid=16, window=2)
    heat = enlarge(seen.relevance, height, width)
    peak = np.unravel_index(heat.argmax(), heat.shape)
    assert top <= peak[0] < bottom and left <= peak[1] < right
    y, x = centre_of(heat)
    assert abs(y - (top + bottom) / 2) <= 0.02 * height and abs(x - (left + right) / 2) <= 0.02 * width
    inside = heat[top:bottom, left:right].sum() / heat.sum()
    assert inside > 0.6, inside


@pytest.mark.parametrize(('height', 'width'), [(96, 200), (211, 53), (80, 80)])
def test_relevance_lies_on_the_central_square(tmp_path, monkeypatch, centred, height, width):
    """The picture under the map is what the model sees: a quarter of the square is planted, and found there."""
    side = min(height, width)
    top, left = (height - side) // 2 + side // 2, (width - side) // 2 + side // 8
    path = plant(tmp_path / 'a.png', height, width, (top, top + side // 4, left, left + side // 4))
    monkeypatch.setattr(centred, '_embed', bright)
    picture = centred.read(path)
    assert picture.shape == (side, side, 3)
    heat = enlarge(centred.explain(path, grid=16, window=2).relevance, side, side)
    shown = picture.mean(axis=2) > picture.mean()
    assert shown[np.unravel_index(heat.argmax(), heat.shape)] and heat[shown].sum() / heat.sum() > 0.6


def test_perception_is_measured_on_the_whole_model(tmp_path, model):
    path = plant(tmp_path / 'a.png', 60, 90, (10, 40, 20, 70))
    seen = model.explain(path, ['two planes', 'a river'], grid=4, window=2)
    image, tokens = model._inputs(path, ['two planes', 'a river'])
    with torch.no_grad():
        texts, whole = model.model.embed_texts(tokens).pooled, model.model.embed_images(image).embedding
        hidden = image.clone()
        hidden[:, :, :16, :16] = image.mean(dim=(2, 3))[..., None, None]  # the first of nine windows of 32 / 4 * 2
        turned = model.model.embed_images(hidden).embedding
    assert [found.text for found in seen.texts] == ['two planes', 'a river']
    assert [found.cosine for found in seen.texts] == pytest.approx((texts @ whole[0]).tolist(), abs=1e-6)
    fall = (texts @ (whole - turned)[0]).tolist()
    corner = [found.relevance[0, 0] for found in seen.texts]  # covered by that window alone
    assert corner == pytest.approx(fall, abs=1e-6)
    assert seen.relevance[0, 0] == pytest.approx(1 - (whole @ turned.T).item(), abs=1e-6)
    assert (seen.relevance >= -1e-6).all()


def test_files_are_read_as_the_config_reads_them(tmp_path, model):
    path = plant(tmp_path / 'a.png', 60, 90, (10, 40, 20, 70))
    image, tokens = model._inputs(path, [])
    assert image.shape == (1, 3, 32, 32) and tokens is None
    np.testing.assert_array_equal(model.read(path), np.asarray(Image.open(path)))


# the tool


@pytest.mark.stack
def test_tool(models, tmp_path, capsys):
    images = [plant(tmp_path / 'a.png', 50, 70, (0, 20, 0, 20)), plant(tmp_path / 'b.png', 70, 50, (9, 20, 9, 20))]
    out = tmp_path / 'new folder' / 'heat.png'
    options = ('--grid', 3, '--window', 1, '--work-dir', tmp_path / 'w', '--out', out)
    code = run_tool_here(
        TOOL, *models['osdpm_rsicd'], *images, '--text', 'a plane', '--compare', *models['rsicd_plain'], *options
    )
    assert code == 0, capsys.readouterr().err
    assert Image.open(out).size[0] == WIDTH
    assert capsys.readouterr().out.splitlines()[-1] == f'Heat maps: {out}'


@pytest.mark.parametrize(
    ('image', 'options', 'words'),
    [
        ('a.png', ('--grid', 2, '--window', 2), 'window must be a whole number from 1 to 1, got 2; it must be smaller'),
        ('a.png', ('--grid', 99), 'grid must be a whole number from 1 to '),
        ('a.png', ('--text', 'a plane', ' '), "--text ' ' is blank"),
        ('gone.png', (), 'gone.png'),
        ('a.png', ('--out', 'heat.jpg'), 'must name a .png file'),
        (
            'a.png',
            ('--cfg-options', 'test_dataloader.dataset.pipeline.1.edge=long'),
            'ResizeEdge may displace pixels',
        ),
        ('a.png', ('--cfg-options', 'test_dataloader.dataset.pipeline=[]'), 'no test_dataloader.dataset.pipeline'),
        ('a.png', ('--cfg-options', 'feature_cache=somewhere'), 'feature_cache replaces images by features'),
    ],
)
def test_bad_input_is_one_sentence(models, tmp_path, capsys, image, options, words):
    plant(tmp_path / 'a.png', 50, 70, (0, 20, 0, 20))
    code = run_tool_here(TOOL, *models['osdpm_rsicd'], tmp_path / image, '--work-dir', tmp_path / 'w', *options)
    assert code == 2
    assert words in capsys.readouterr().err.splitlines()[-1]


def test_models_without_one_space_are_refused(models, monkeypatch):
    config, checkpoint = models['osdpm_rsicd']
    monkeypatch.setattr('osdpm_plugin.models.similarities.dot_product.DotProduct.indexable', False)
    cfg = Config.fromfile(config)
    with pytest.raises(ConfigError, match='of images and texts in one space'):
        HeatmapModel(cfg, load_model(cfg, checkpoint), name='tiny')


def test_a_file_that_is_no_image(tmp_path, model):
    (tmp_path / 'a.png').write_bytes(b'no image')
    with pytest.raises(DataError, match=r'image .*a\.png cannot be read'):
        model.explain(str(tmp_path / 'a.png'))
