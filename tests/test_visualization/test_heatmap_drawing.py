"""Heat maps: they show what DAPN computes with, lie on the image to the pixel, and state their values."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image

from osdpm_plugin.errors import ConfigError
from osdpm_plugin.structures import ImageFeatures
from osdpm_plugin.visualization import Subject, draw_heatmaps, pixels_of
from osdpm_plugin.visualization.heatmap import (
    COLUMNS,
    GAP,
    MARGIN,
    TILE_SIZE,
    WIDTH,
    attention_panels,
    relevance_panels,
)
from osdpm_plugin.visualization.heatmap_attention import attention_of
from osdpm_plugin.visualization.heatmap_model import Explanation, TextRelevance
from osdpm_plugin.visualization.heatmap_overlay import (
    FALL,
    RISE,
    SIGNED_STRENGTH,
    Scale,
    colour_bar,
    enlarge,
    overlay,
    scale_of,
)
from osdpm_plugin.visualization.images import fit
from osdpm_plugin.visualization.page import quiet_about_glyphs
from tests.helpers import tiny_models as tiny
from tests.helpers.bright_rectangles import SHAPES, centre_of, plant

# maps on images


@pytest.mark.parametrize('shape', [*SHAPES, (1, 1), (2, 300)])
@pytest.mark.parametrize('cells', [(4, 5), (1, 1), (1, 7), (14, 14)])
def test_maps_are_enlarged_between_the_centres_of_cells(shape, cells):
    want = heat = np.random.default_rng(0).normal(size=cells)
    for axis, (known, pixels) in enumerate(zip(cells, shape)):
        place = (np.arange(pixels) + 0.5) * known / pixels - 0.5
        want = np.apply_along_axis(partial(np.interp, place, np.arange(known)), axis, want)
    np.testing.assert_allclose(enlarge(heat, *shape), want, atol=1e-9)


def test_enlarged_by_hand():
    assert enlarge(np.array([[0.0, 4.0]]), 1, 4).tolist() == [[0, 1, 3, 4]]
    with pytest.raises(ConfigError, match='cannot be drawn on 0 x 3 pixels'):
        enlarge(np.ones((2, 2)), 0, 3)


@pytest.mark.parametrize(('height', 'width'), SHAPES)
def test_the_picture_shows_heat_on_the_rectangle(tmp_path, height, width):
    box = height // 2, height // 2 + max(height // 4, 1), width // 8, width // 8 + max(width // 4, 1)
    image = np.asarray(Image.open(plant(tmp_path / 'a.png', height, width, box)))
    heat = np.zeros((8, 8))
    heat[4:6, 1:3] = 1  # the same shares of the edges
    shown = fit(image, TILE_SIZE)
    assert max(shown.shape[:2]) == TILE_SIZE
    assert shown.shape[0] / shown.shape[1] == pytest.approx(height / width, rel=0.5 / min(shown.shape[:2]))
    laid = enlarge(heat, *shown.shape[:2])
    rectangle = shown[..., 0] > 128
    y, x = centre_of(laid)
    want_y, want_x = centre_of(rectangle.astype(float))
    pixel = TILE_SIZE / max(height, width)  # of the image, since eighths of its edges are not whole pixels
    assert abs(y - want_y) <= pixel and abs(x - want_x) <= pixel
    assert laid[rectangle].mean() > 0.7


def test_colours_by_hand():
    image = np.full((2, 2, 3), 100, dtype=np.uint8)
    signed = overlay(image, np.array([[1.0, 0.0], [-1.0, -5.0]]), Scale(-1, 1, signed=True))
    grey = 100 / 255
    assert signed[0, 1].tolist() == [100, 100, 100], 'no relevance leaves the image'
    for spot, colour in (((0, 0), RISE), ((1, 0), FALL), ((1, 1), FALL)):
        want = 255 * ((1 - SIGNED_STRENGTH) * grey + SIGNED_STRENGTH * np.array(colour))
        assert np.abs(signed[spot] - want).max() <= 1
    middle = np.full((1, 3, 3), 255 // 2 + 1, dtype=np.uint8)
    for scale in (Scale(0, 3), Scale(-3, 3, signed=True)):
        bar = colour_bar(scale, 2, 3)
        values = np.linspace(scale.low, scale.high, 3)[None]
        assert bar.shape == (2, 3, 3) and np.abs(bar[0] - overlay(middle, values, scale)[0].astype(int)).max() <= 1


def test_scales():
    assert scale_of(np.array([0.1, 0.4])) == Scale(0.0, 0.4)
    assert scale_of(np.array([0.1, -0.4]), signed=True) == Scale(-0.4, 0.4, True)
    assert scale_of(np.zeros(3)) == Scale(0.0, 1.0), 'a map of zeros has a scale as well'


# what DAPN attends to


def dapn(**changes):
    neck = dict(tiny.osdpm_cfg()['neck'], scales=(1, 3, 5), **changes)
    built = tiny.build(neck=neck).neck.eval()
    with torch.no_grad():  # weights apart from 1 / S, attention apart from uniform
        built.object_saliency.scale.bias.copy_(torch.tensor([0.0, 1.0, -1.0]))
    return built


def features_of(seed: int = 0) -> ImageFeatures:
    draw = torch.Generator().manual_seed(seed)
    return ImageFeatures(
        maps=(torch.randn(1, 64, 4, 6, generator=draw),), pooled=torch.randn(1, tiny.EMBED_DIM, generator=draw)
    )


def test_maps_are_those_that_the_neck_computes_with():
    neck, features = dapn(), features_of()
    with torch.no_grad():
        output = neck(features)
    shown = attention_of(neck, features)
    assert shown.scales == (1, 3, 5)
    np.testing.assert_allclose(shown.scale_weights, output.scale_weights[0], rtol=1e-6)
    np.testing.assert_allclose(shown.saliency, output.saliency[0], rtol=1e-6)
    assert len(set(np.round(shown.scale_weights, 3))) == 3


def test_maps_sum_to_what_they_claim():
    shown = attention_of(dapn(), features_of())
    np.testing.assert_allclose(shown.scale_saliency.sum(axis=(1, 2)), [1, 1, 1], rtol=1e-6)
    assert shown.saliency.sum() == pytest.approx(1, rel=1e-6)
    assert shown.scale_weights.sum() == pytest.approx(1, rel=1e-6)
    np.testing.assert_allclose(np.tensordot(shown.scale_weights, shown.scale_saliency, 1), shown.saliency, rtol=1e-6)


def test_cooperative_weights_are_those_that_refine_the_map():
    neck, features = dapn(), features_of()
    shown = attention_of(neck, features)
    with torch.no_grad():
        x = neck.merge_maps(features.maps)
        refined = neck.cooperative(x)
        factor = (refined / x - 1)[0]  # channel weight times spatial weight
    spatial = torch.from_numpy(shown.spatial)
    channel = (factor / spatial).flatten(1).median(dim=1).values
    want = x + x * channel[:, None, None] * spatial
    torch.testing.assert_close(want.float(), refined, rtol=1e-4, atol=1e-5)
    response = (x[0] * channel[:, None, None]).square().mean(dim=0).sqrt()
    np.testing.assert_allclose(shown.response, response.numpy(), rtol=1e-3)


def test_without_cooperative_attention():
    neck, features = dapn(cooperative=False), features_of()
    shown = attention_of(neck, features)
    with torch.no_grad():
        want = neck.merge_maps(features.maps)[0].square().mean(dim=0).sqrt()
    assert shown.spatial is None
    np.testing.assert_allclose(shown.response, want.numpy(), rtol=1e-5)
    assert [panel.title for panel in attention_panels(shown)][0] == 'Response after channel attention'


def test_panels_state_weights_and_units():
    shown = attention_of(dapn(), features_of())
    panels = attention_panels(shown)
    weights = [f'weight {w:.3f}' for w in shown.scale_weights]
    assert [p.title for p in panels[2:5]] == [f'Saliency by {s} x {s} cells, {w}' for s, w in zip((1, 3, 5), weights)]
    assert panels[0].scale == Scale(0.0, 1.0) and len({p.scale for p in panels[2:]}) == 1
    for panel in panels[2:]:
        assert panel.heat.sum() == pytest.approx(100, rel=1e-6) and panel.unit == '% of the map in a cell'
    assert panels[2].scale.high == max(panel.heat.max() for panel in panels[2:])


# the picture


def explanation(texts: int = 2) -> Explanation:
    draw = np.random.default_rng(0)
    words = ('words ' * 40, '三艘白色的船', 'a')
    return Explanation(
        attention=attention_of(dapn(), features_of()),
        relevance=draw.random((7, 7)),
        texts=tuple(TextRelevance(words[i % 3], 0.5, draw.normal(size=(7, 7))) for i in range(texts)),
    )


def image_of(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)


def test_overlays_stand_beside_the_image(tmp_path):
    image, seen = image_of(97, 200), explanation()
    pixels = pixels_of(draw_heatmaps([Subject('a.png', image, (('m', seen),))], title='t'))
    assert pixels.shape[1] == WIDTH
    shown = fit(image, TILE_SIZE)
    height, width = shown.shape[:2]
    tops = [y for y in range(len(pixels) - height) if (pixels[y : y + height, MARGIN : MARGIN + width] == shown).all()]
    assert len(tops) == 2, 'once beside attention, once beside relevance'
    for top, panels in zip(tops, (attention_panels(seen.attention), relevance_panels(seen))):
        for i, panel in enumerate(panels, start=1):
            left = MARGIN + i * (TILE_SIZE + GAP)
            want = overlay(shown, panel.heat, panel.scale)
            assert (pixels[top : top + height, left : left + width] == want).all(), panel.title


@pytest.mark.parametrize('shape', [(40, 40), (500, 5), (5, 500)])
def test_everything_fits_the_page(shape):
    many = explanation(2 * COLUMNS)
    plain = many._replace(attention=None)
    subject = Subject('long/path ' * 40, image_of(*shape), (('osdpm', many), ('plain', plain)))
    figure = draw_heatmaps([subject, subject], title='title ' * 50)
    canvas = figure.canvas.get_renderer()
    for text in figure.texts:
        with quiet_about_glyphs():
            box = text.get_window_extent(canvas)
        assert box.x0 >= 0 and box.x1 <= WIDTH and box.y0 >= 0 and box.y1 <= figure.bbox.height, text.get_text()
    texts = [text.get_text() for text in figure.texts]
    assert {'osdpm', 'plain', 'weight', '0', '1'} <= set(texts)
    assert texts.count('Spatial attention') == 2, 'of the first model alone, on each image'
