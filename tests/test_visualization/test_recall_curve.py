"""Recall curves: the evaluation's numbers, and chance in closed form."""

from math import comb

import numpy as np
import pytest
import torch

from osdpm_plugin.evaluation import ranks_from_embeddings, recall_at
from osdpm_plugin.visualization import draw_recall_curves, pixels_of, recall_curves
from osdpm_plugin.visualization.recall_curve import HEIGHT, WIDTH
from tests.helpers.embedded_splits import at_random, by_hand


def test_by_hand():
    i2t, t2i = recall_curves(by_hand())
    # ranks of the first right answer: captions 5, 4, 3, 2 -> 1, 3, 1, 2; images 20 -> 1, 30 -> 1, 10 -> 3 or 4 (tied)
    assert t2i.ks.tolist() == [1, 2, 3] and i2t.ks.tolist() == [1, 2, 3, 4]
    assert t2i.recall.tolist() == pytest.approx([50, 75, 100])
    assert i2t.recall.tolist() == pytest.approx([100 * hits / 3 for hits in (2, 2, 2.5, 3)])
    assert t2i.chance.tolist() == pytest.approx([100 / 3, 200 / 3, 100])
    # images 30, 10, 20 own 1, 1, 2 of four captions
    chance = [100 * np.mean([1 - comb(4 - own, k) / comb(4, k) for own in (1, 1, 2)]) for k in (1, 2, 3, 4)]
    assert i2t.chance.tolist() == pytest.approx(chance)


@pytest.mark.parametrize('coarse', [False, True])
def test_numbers_are_those_of_the_evaluation(coarse):
    split = at_random(0, images=200, coarse=coarse)
    ranks = ranks_from_embeddings(
        torch.from_numpy(split.image_embed),
        torch.from_numpy(split.text_embed),
        split.image_ids,
        split.caption_image_ids,
    )
    for curve, way, most in zip(recall_curves(split), (ranks.i2t, ranks.t2i), (600, 200)):
        assert {1, 5, 10, most} <= set(curve.ks.tolist()) and curve.ks[-1] == most and len(curve.ks) < 70
        assert curve.recall.tolist() == [recall_at(way, int(k)) for k in curve.ks]
        assert (np.diff(curve.recall) >= 0).all() and curve.recall[-1] == curve.chance[-1] == 100


@pytest.mark.parametrize('images', [1, 40])
def test_picture(images):
    split = (
        by_hand()
        if images > 1
        else by_hand()._replace(
            image_ids=np.array([7]),
            image_embed=np.ones((1, 3), np.float32),
            caption_ids=np.array([1]),
            caption_image_ids=np.array([7]),
            text_embed=np.ones((1, 3), np.float32),
        )
    )
    figure = draw_recall_curves(split, title='a title')
    assert pixels_of(figure).shape == (HEIGHT, WIDTH, 3)
    (axes,) = figure.axes
    assert axes.get_ylim() == (0, 100) and axes.get_title(loc='left') == 'a title'
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels[0].startswith('image to text: R@1 ') and 'text to image, by chance' in labels
