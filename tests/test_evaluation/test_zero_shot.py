"""Accuracy of images to classes, worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from osdpm_plugin.errors import MetricError
from osdpm_plugin.evaluation.zero_shot import zero_shot_accuracy

NAMES = ['a', 'b', 'c', 'd', 'e', 'f', 'g']
CLASSES = np.eye(7, dtype=np.float32)


def image(*scores):
    """An image with given scores of the classes."""
    return np.array(scores, dtype=np.float32)


def test_by_hand():
    images = np.stack(
        [
            image(0.9, 0.1, 0.0, 0.0, 0.0, 0.0, 0.0),  # a first
            image(0.5, 0.4, 0.3, 0.2, 0.1, 0.05, 0.0),  # a is right: first; b would be second
            image(0.5, 0.4, 0.3, 0.2, 0.1, 0.05, 0.0),  # f is right: sixth
            image(0.5, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0),  # b is right, tied with a: one half
            image(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7),  # c or g is right: g is first
            image(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7),  # without a label: left out
        ]
    )
    labels = [{'a'}, {'a'}, {'f'}, {'b'}, {'c', 'g'}, set()]
    found = zero_shot_accuracy(images, labels, CLASSES, NAMES)
    assert found.images == 5
    assert found.top1 == pytest.approx(100 * (1 + 1 + 0 + 0.5 + 1) / 5)
    assert found.top5 == pytest.approx(100 * 4 / 5)
    assert found.classes == {'a': 100, 'b': 50, 'c': 100, 'f': 0, 'g': 100}
    assert found.class_mean == pytest.approx(350 / 5)


def test_fewer_classes_than_five():
    found = zero_shot_accuracy(CLASSES[:2, :2], [{'a'}, {'a'}], CLASSES[:2, :2], NAMES[:2])
    assert (found.top1, found.top5, found.classes) == (50, 100, {'a': 50})


@pytest.mark.parametrize(
    ('images', 'labels', 'sentence'),
    [
        (CLASSES[:1], [set()], 'no image has a label; give a labelled data set'),
        (CLASSES[:1], [{'z'}], "the label 'z' is none of the classes"),
        (CLASSES[:1] * np.nan, [{'a'}], '1 of 1 image embeddings are NaN'),
    ],
)
def test_misfits_are_one_sentence(images, labels, sentence):
    with pytest.raises(MetricError, match=sentence):
        zero_shot_accuracy(images, labels, CLASSES, NAMES)
