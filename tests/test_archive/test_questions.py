"""What is asked -> one vector, by hand-worked sums; what cannot be asked is one sentence."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from PIL import Image

from osdpm_plugin.archive import Question, questions
from osdpm_plugin.errors import ConfigError, DataError
from osdpm_plugin.search.encoder import Vector
from tests.helpers.rasters import noise, write_raster

WORDS = {'a plane': [3.0, 0.0], 'a ship': [0.0, 0.5], 'clouds': [0.0, 2.0]}


class Directions:
    """Words and images -> vectors in the plane, of any length."""

    @staticmethod
    def pipeline(image):
        return dict(inputs=torch.tensor([0.0, 7.0]))

    @staticmethod
    def images(batch):
        return [Vector(vector.numpy()) for vector in batch['inputs']]

    @staticmethod
    def texts(text, *, batch_size):
        return [Vector(np.array(WORDS[text], np.float32))]


def vector(question: Question) -> list[float]:
    found = question.vector(Directions, lambda tile: np.array([-1.0, 0.0]))
    assert found.dtype == np.float32
    return found.tolist()


IMAGE = np.zeros((4, 4, 3), np.uint8)
HALF = math.sqrt(0.5)


@pytest.mark.parametrize(
    ('question', 'want'),
    [
        (Question('a plane'), [1, 0]),
        (Question('a ship'), [0, 1]),
        (Question(image=IMAGE), [0, 1]),
        (Question(like='tile'), [-1, 0]),
        (Question('a plane', IMAGE), [HALF, HALF]),  # lengths of vectors do not count, weights do
        (Question('a plane', IMAGE, text_weight=3, image_weight=4), [0.6, 0.8]),
        (Question('a plane', IMAGE, text_weight=0), [0, 1]),
        (Question('a ship', like='tile', text_weight=4, image_weight=3), [-0.6, 0.8]),
        (Question('a plane', unlike='clouds'), [2 / math.sqrt(5), -1 / math.sqrt(5)]),
        (Question('a plane', unlike='clouds', unlike_weight=0.75), [0.8, -0.6]),
        (Question('a plane', IMAGE, like='tile'), [0, 1]),
        (Question('a ship', unlike='a ship', unlike_weight=0.5), [0, 1]),
    ],
    ids=str,
)
def test_sums(question, want):
    np.testing.assert_allclose(vector(question), want, atol=1e-7)


def test_what_takes_itself_away():
    for question in (
        Question('a ship', unlike='a ship', unlike_weight=1),
        Question('a plane', like='tile'),
        Question('a plane', text_weight=0),
    ):
        with pytest.raises(ConfigError, match="what is asked by 'a .* takes itself away; change words or weights"):
            vector(question)


def test_a_tile_needs_no_model():
    def encoder():
        raise AssertionError('it is loaded')

    assert Question(like='tile').vector(encoder, lambda tile: np.array([0.0, 2.0])).tolist() == [0, 1]


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        ({}, 'the query is empty; ask in words, by an image, or by the id of a tile'),
        (dict(unlike='clouds'), 'the query is empty'),
        (dict(text=''), 'text has no words; write a few'),
        (dict(text=' \n'), 'text has no words'),
        (dict(text=3), 'text has no words'),
        (dict(text='a ship', unlike=''), 'unlike has no words'),
        (dict(text='a ship', text_weight=-1), 'text_weight must be a number of at least 0'),
        (dict(text='a ship', image_weight=math.nan), 'image_weight must be a number'),
        (dict(text='a ship', unlike_weight=math.inf), 'unlike_weight must be a number'),
    ],
)
def test_what_cannot_be_asked(arguments, words):
    with pytest.raises(ConfigError, match=words):
        Question(**arguments)


def test_in_words(tmp_path):
    assert str(Question('a ship', tmp_path / 'x.png', unlike='clouds')) == f'a ship + {tmp_path / "x.png"} - clouds'
    assert str(Question(image=IMAGE, like='t/0')) == 'image in memory + t/0'


def test_an_image_that_is_too_large(tmp_path, monkeypatch):
    """By the header alone: of a PNG, of one that PIL calls a bomb, and of a raster that PIL does not know."""
    monkeypatch.setattr(questions, 'LARGEST_QUERY', 120)
    good, large = tmp_path / 'good.png', tmp_path / 'large.png'
    Image.new('RGB', (12, 10)).save(good)
    Image.new('RGB', (11, 11)).save(large)
    raster = write_raster(tmp_path / 'raster.tif', noise(5, 11, 11, dtype=np.uint16))
    assert vector(Question(image=good)) == vector(Question(image=str(good))) == [0, 1]
    assert vector(Question(image=write_raster(tmp_path / 'small.tif', noise(5, 9, 9, dtype=np.uint16)))) == [0, 1]
    for path in (large, raster):
        with pytest.raises(
            DataError, match=rf'image .*{path.name} has too many pixels for a query; cut out what is to'
        ):
            vector(Question(image=path))
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 50)
    with pytest.raises(DataError, match='has too many pixels for a query'):
        vector(Question(image=good))
    monkeypatch.setattr(questions, 'LARGEST_QUERY', 1 << 27)
    for name, content in (('empty.png', b''), ('text.png', b'no image')):
        (tmp_path / name).write_bytes(content)
        assert vector(Question(image=tmp_path / name)) == [0, 1]  # what is wrong with it is said by the pipeline
