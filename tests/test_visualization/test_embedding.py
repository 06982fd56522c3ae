"""Embedding spaces: layout, alignment, the picture and the tool."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from mmengine.config import Config
from PIL import Image

from osdpm_plugin.errors import ConfigError
from osdpm_plugin.launch import build_runner, embed_split
from osdpm_plugin.visualization import cluster_figures, draw_embeddings, labels_of, pixels_of, spaces_of
from osdpm_plugin.visualization.embedding import Space, colour_of, sentences_of
from osdpm_plugin.visualization.embedding_layout import align, first_captions, tsne
from tests.helpers.embedded_splits import at_random, by_hand
from tests.helpers.shrunk_configs import shrink
from tests.helpers.tools import run_tool_here

TOOL = 'visualize/embedding.py'


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


# layout


def test_layouts_are_turned_mirrored_and_scaled_onto_the_first():
    first = np.random.default_rng(0).normal(size=(30, 2))
    turn = np.array([[np.cos(2.0), -np.sin(2.0)], [np.sin(2.0), np.cos(2.0)]])
    copies = [first, 5 * first @ turn + [3, -8], 0.1 * first * [1, -1] - 2]
    aligned = align(copies)
    for layout in aligned:
        np.testing.assert_allclose(layout, aligned[0], atol=1e-12)
        np.testing.assert_allclose(layout.mean(axis=0), 0, atol=1e-12)
        assert (layout**2).sum(axis=1).mean() == pytest.approx(1)
    with pytest.raises(ConfigError, match='cannot be aligned'):
        align([first, first[1:]])


def test_alignment_keeps_distances_within_a_layout():
    layouts = [np.random.default_rng(seed).normal(size=(20, 2)) for seed in (0, 1)]
    found = align(layouts)[1]
    want = np.linalg.norm(layouts[1][:, None] - layouts[1], axis=-1)
    have = np.linalg.norm(found[:, None] - found, axis=-1)
    np.testing.assert_allclose(have / have.max(), want / want.max(), atol=1e-12)


def test_tsne_keeps_apart_what_is_apart():
    draw = np.random.default_rng(0)
    centres = np.repeat(np.eye(3, 8), 12, axis=0)
    vectors = unit(centres + 0.05 * draw.normal(size=centres.shape))
    points = tsne(vectors, seed=1)
    assert points.shape == (36, 2) and np.array_equal(points, tsne(vectors, seed=1))
    label = np.repeat(np.arange(3), 12)
    distance = np.linalg.norm(points[:, None] - points, axis=-1) + np.diag(np.full(36, np.inf))
    assert (label[distance.argmin(axis=1)] == label).all()
    assert np.isfinite(tsne(vectors[:4])).all()
    with pytest.raises(ConfigError, match='needs 4 points or more, got 3'):
        tsne(vectors[:3])


def test_scikit_learn_is_optional(monkeypatch):
    monkeypatch.setitem(sys.modules, 'sklearn.manifold', None)
    with pytest.raises(ConfigError, match='t-SNE needs scikit-learn, which is not installed; run pip install'):
        tsne(np.eye(5))


def test_first_caption_of_each_image():
    split = by_hand()  # captions 5, 4, 3, 2 of images 30, 10, 20, 20
    assert first_captions(split).tolist() == [0, 1, 3]


def test_models_must_embed_the_same():
    split, labels = at_random(0), ('a', 'b') * 20
    for other in (
        split._replace(image_ids=split.image_ids + 1),
        split._replace(captions=tuple(reversed(split.captions))),
    ):
        with pytest.raises(ConfigError, match='after embeds other images or captions than before'):
            spaces_of([('before', split), ('after', other)], labels)


# the picture


def disc(index):
    """Colour of a disc on white, (3,): nine tenths of its class's colour."""
    return np.round(255 * (0.9 * np.array(to_rgb(colour_of(index))) + 0.1))


def test_picture():
    labels = ('a',) * 3 + ('b',) * 2 + ('c', None)
    image = np.array([[-1, -1], [-1, -0.8], [-1, -0.9], [1, 1], [1, 0.8], [0.0, 0.5], [0.5, 0.0]])
    figures = cluster_figures(at_random(1, images=7), labels)
    spaces = [Space(name, image * size, image * size - 0.2, figures) for name, size in (('before', 1), ('after', 0.5))]
    figure = draw_embeddings(spaces, labels, title='a title', most_classes=2)
    texts = [text.get_text() for text in figure.texts]
    assert {'a title', 'before', 'after', '1 a (3)', '2 b (2)', '1 other classes (1)'} <= set(texts)
    assert 'without class (1), in no figure' in texts
    assert texts.count(sentences_of(figures)[0]) == 2
    pixels = pixels_of(figure)
    assert pixels.shape[1] == 1600
    for index in range(2):
        spots = np.abs(pixels - disc(index)).max(axis=2) <= 2
        assert spots[:, :800].any() and spots[:, 800:].any(), 'on both panels'
    canvas = figure.canvas.get_renderer()
    for text in figure.texts:
        box = text.get_window_extent(canvas)
        assert box.x0 >= 0 and box.x1 <= 1600 and box.y0 >= 0 and box.y1 <= figure.bbox.height, text.get_text()


def test_axes_are_common():
    """A layout of half the size is drawn at half the size."""
    labels, dot = ('a', 'a', 'b', 'b'), np.array([[-1.0, 0.0], [-1.0, 0.6], [1.0, 0.0], [1.0, 0.6]])
    figures = cluster_figures(at_random(1, images=4), labels)
    spaces = [Space('s', dot * size, dot * size, figures) for size in (1, 0.5)]
    pixels = pixels_of(draw_embeddings(spaces, labels, title='t'))
    spread = []
    for panel in (pixels[100:900, :800], pixels[100:900, 800:]):
        places = []
        for index in (0, 1):
            columns = np.nonzero((np.abs(panel - disc(index)).max(axis=2) <= 2).any(axis=0))[0]
            places.append((columns.min() + columns.max()) / 2)
        spread.append(places[1] - places[0])
    assert spread[0] == pytest.approx(2 * spread[1], rel=0.02) and spread[0] > 500


def test_every_class_has_a_colour_of_its_own():
    assert len({colour_of(i) for i in range(20)}) == 20


@pytest.mark.parametrize('number', [0, 21])
def test_too_many_classes(number):
    with pytest.raises(ConfigError, match='most_classes must be a whole number from 1 to 20'):
        draw_embeddings([], (), title='t', most_classes=number)


# the tool


@pytest.mark.stack
def test_tool(tmp_path, capsys):
    models = []
    for name in ('ablations/rsicd_no_osfcm', 'osdpm_rsicd'):
        cfg = shrink(f'configs/{name}.py', tmp_path)
        config = tmp_path / f'{Path(name).name}.py'
        cfg.dump(config)
        build_runner(cfg).save_checkpoint(
            str(tmp_path), f'{config.stem}.pth', save_optimizer=False, save_param_scheduler=False
        )
        models += [config, tmp_path / f'{config.stem}.pth']
    out = tmp_path / 'new folder' / 'spaces.png'
    options = ('--classes', 'objects', '--neighbours', 2, '--work-dir', tmp_path / 'w', '--out', out)
    code = run_tool_here(TOOL, *models[:2], '--compare', *models[2:], *options)
    printed = capsys.readouterr()
    assert code == 0, printed.err
    assert Image.open(out).size[0] == 1600
    report = json.loads(out.with_suffix('.json').read_text())
    assert [entry['checkpoint'] for entry in report] == [str(models[1]), str(models[3])]
    for entry, config in zip(report, (models[0], models[2])):
        split = embed_split(Config.fromfile(config), entry['checkpoint'])
        want = cluster_figures(split, labels_of(split, 'objects'), neighbours=2)
        assert {key: entry[key] for key in want._fields} == want._asdict()
        assert f'silhouette of images (cosine) {want.silhouette:.3f}' in printed.out
    assert printed.out.splitlines()[-1] == f'Embedding: {out}, figures: {out.with_suffix(".json")}'
    assert run_tool_here(TOOL, *models[:2], '--work-dir', tmp_path / 'w') == 2
    assert '--classes prefix finds 1 classes (scene)' in capsys.readouterr().err.splitlines()[-1]
