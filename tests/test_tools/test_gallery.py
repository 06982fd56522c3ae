"""tools/visualize: command line -> picture, or one sentence and exit code 2."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from PIL import Image

from osdpm_plugin.errors import ConfigError
from osdpm_plugin.launch import embed_split
from osdpm_plugin.visualization import retrieve
from tests.helpers.shrunk_configs import shrink
from tests.helpers.tools import run_tool_here

pytestmark = pytest.mark.stack


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """Config file, checkpoint and the recall that its own test states."""
    folder = tmp_path_factory.mktemp('gallery')
    cfg = shrink('configs/osdpm_scenes.py', folder)
    cfg.dump(folder / 'tiny.py')
    runner = Runner.from_cfg(cfg)
    runner.save_checkpoint(str(folder), 'tiny.pth', save_optimizer=False, save_param_scheduler=False)
    runner.load_checkpoint(str(folder / 'tiny.pth'))
    return folder / 'tiny.py', folder / 'tiny.pth', runner.test()


def test_embeddings_are_those_of_the_evaluation(trained):
    config, checkpoint, metrics = trained
    cfg = Config.fromfile(config)
    before = cfg.to_dict()
    split = embed_split(cfg, str(checkpoint))
    assert cfg.to_dict() == before
    assert split.image_embed.shape[0] == len(split.image_paths) == 6
    assert len(split.captions) == len(split.caption_ids) == len(split.text_embed) == 30
    assert all(Path(p).is_file() and 'test' in Path(p).name for p in split.image_paths)
    found = retrieve(split)
    for way in ('t2i', 'i2t'):
        assert getattr(found, way).recall == {k: metrics[f'retrieval/{way}_R@{k}'] for k in (1, 5, 10)}


def test_gallery(trained, tmp_path, capsys):
    config, checkpoint, _ = trained
    out = tmp_path / 'new folder' / 'g.png'
    options = ('--split', 'val', '--queries', 2, '--topk', 99, '--only-misses', '--out', out)
    assert run_tool_here('visualize/gallery.py', config, checkpoint, '--work-dir', tmp_path / 'w', *options) == 0
    assert Image.open(out).size[0] == 1600
    assert capsys.readouterr().out.splitlines()[-1] == f'Gallery: {out}'


def test_contact_sheet(trained, tmp_path, capsys):
    config, _, _ = trained
    work_dir = tmp_path / 'w'
    options = ('--rows', 1, '--columns', 3, '--captions', '--work-dir', work_dir)
    assert run_tool_here('visualize/contact_sheet.py', config, *options) == 0
    assert Image.open(work_dir / 'contact_sheet.png').size[0] == 1600
    assert run_tool_here('visualize/contact_sheet.py', config, *options, '--rows', 0) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error == 'error: contact sheet: number must be a whole number of at least 1, got 0'


def test_checkpoint_of_another_model(trained, tmp_path, capsys):
    config, _, _ = trained
    torch.save(dict(state_dict=dict(weight=torch.zeros(2))), tmp_path / 'other.pth')
    assert run_tool_here('visualize/gallery.py', config, tmp_path / 'other.pth', '--work-dir', tmp_path / 'w') == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith('error: the checkpoint is of another model than the config')
    assert not (tmp_path / 'w' / 'gallery.png').exists()


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (['none.pth'], 'checkpoint none.pth does not exist'),
        (['none.pth', '--out', 'g.jpg'], 'must name a .png file'),
        (['none.pth', '--split', 'val', '--cfg-options', 'val_dataloader=None'], 'the config has no val_dataloader'),
    ],
)
def test_bad_input_is_one_sentence(trained, tmp_path, capsys, arguments, words):
    config, _, _ = trained
    assert run_tool_here('visualize/gallery.py', config, *arguments, '--work-dir', tmp_path / 'w') == 2
    assert words in capsys.readouterr().err.splitlines()[-1]


def test_queries_out_of_range(trained, tmp_path, capsys):
    config, checkpoint, _ = trained
    assert run_tool_here('visualize/gallery.py', config, checkpoint, '--work-dir', tmp_path / 'w', '--queries', 0) == 2
    assert capsys.readouterr().err.splitlines()[-1] == 'error: queries must be a whole number of at least 1, got 0'


def test_what_cannot_be_embedded(trained):
    config, checkpoint, _ = trained
    cfg = Config.fromfile(config)
    with pytest.raises(ConfigError, match='split must be one of test, val'):
        embed_split(cfg, str(checkpoint), 'train')
    cfg.launcher = 'pytorch'
    with pytest.raises(ConfigError, match='--launcher pytorch starts several processes'):
        embed_split(cfg, str(checkpoint))
