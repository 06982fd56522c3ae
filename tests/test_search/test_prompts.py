"""Prompts of queries: one sentence, several whose vectors are averaged, and what is refused."""

from __future__ import annotations

import copy
import math
import re

import numpy as np
import pytest

from osdpm_plugin.errors import ConfigError
from osdpm_plugin.search import RetrievalInferencer
from osdpm_plugin.search.prompts import ENSEMBLES, mean_of_prompts, prompted, templates_of
from tests.helpers.saved_models import save
from tests.helpers.shrunk_configs import shrink_zero_shot

TEXTS = ['a river', 'Two planes.', 'a river']
SENTENCES = ['an aerial image of {}.', '{} seen from above', 'a map, or a photo, with {}']


@pytest.fixture(scope='module')
def ask(tmp_path_factory):
    """A function: prompts -> the inferencer of a zero-shot config with them."""
    cfg, _ = shrink_zero_shot('configs/zero_shot/clip_vitb32.py', tmp_path_factory.mktemp('prompts'))

    def build(prompts):
        changed = copy.deepcopy(cfg)
        changed.prompts = prompts
        return RetrievalInferencer(changed, device='cpu', show_progress=False)

    return build


def vectors(inferencer, texts, batch_size=4):
    return np.stack([v.embedding for v in inferencer.encoder.texts(texts, batch_size=batch_size)])


def test_mean_by_hand():
    """Of (3, 4) and (0, 2), which are units (0.6, 0.8) and (0, 1); of (1, 0) and (-1, 0), which have none."""
    rows = np.array([[3, 4], [0, 2], [1, 0], [1, 0], [1, 0], [-1, 0]], dtype=np.float32)
    found = mean_of_prompts(rows, 2)
    length = math.hypot(0.3, 0.9)
    np.testing.assert_allclose(found, [[0.3 / length, 0.9 / length], [1, 0], [0, 0]], rtol=0, atol=1e-7)
    assert found.dtype == np.float32


def test_one_sentence(ask):
    plain, one = ask(None), ask(SENTENCES[0])
    want = vectors(plain, ['an aerial image of a river.', 'an aerial image of Two planes.'])
    np.testing.assert_array_equal(vectors(one, TEXTS), want[[0, 1, 0]])
    np.testing.assert_array_equal(vectors(ask(SENTENCES[:1]), TEXTS), want[[0, 1, 0]])
    assert np.abs(vectors(plain, TEXTS)[:2] - want).max() > 1e-3


def test_several_sentences(ask):
    """The mean of the vectors of each, by a naive sum."""
    plain, several = ask(None), ask(SENTENCES)
    found = vectors(several, TEXTS, batch_size=2)
    for row, text in zip(found, ('a river', 'Two planes', 'a river')):
        parts = [vectors(plain, sentence.replace('{}', text))[0].astype(float) for sentence in SENTENCES]
        mean = sum(part / np.linalg.norm(part) for part in parts)
        np.testing.assert_allclose(row, mean / np.linalg.norm(mean), rtol=0, atol=1e-6)
    np.testing.assert_array_equal(vectors(ask(tuple(SENTENCES)), TEXTS), found)


def test_an_ensemble_by_name(ask):
    sentences = ENSEMBLES['remote_sensing']
    assert len(set(sentences)) == 10 and all(sentence.count('{}') == 1 for sentence in sentences)
    np.testing.assert_array_equal(vectors(ask('remote_sensing'), TEXTS), vectors(ask(list(sentences)), TEXTS))


def test_images_and_their_key_stay(ask):
    """So that a cache or an index serves all prompts; texts that images ask for have prompts too."""
    plain, several = ask(None), ask(SENTENCES)
    images = np.random.default_rng(0).integers(0, 255, (3, 40, 40, 3), dtype=np.uint8)
    assert plain.encoder.key == several.encoder.key
    index = plain.index(images)
    np.testing.assert_array_equal(index.embedding, several.index(images).embedding)
    scores = index.embedding @ vectors(several, TEXTS).T
    for row, matches in zip(scores, several.image_to_text(images, TEXTS)):
        assert [m.score for m in matches] == pytest.approx([row[m.item] for m in matches], abs=1e-6)
        assert {m.answer for m in matches} == set(TEXTS)


def test_braces_of_a_text_are_no_place():
    assert prompted(['a {} of {0}', ' x. '], ['<{}>']) == ['<a {} of {0}>', '<x>']


@pytest.mark.parametrize(
    ('prompts', 'sentence'),
    [
        ('remote', "prompts: 'remote' has no {} in the place of the text; write a sentence such as"),
        (['a {}.', 'a photo'], "prompts: 'a photo' has no {}"),
        (['a {}.', 3], 'prompts: 3 has no {}'),
        ([], 'prompts=[] must be a sentence'),
        (3, 'prompts=3 must be a sentence'),
        (dict(type='A'), "prompts={'type': 'A'} must be a sentence"),
    ],
)
def test_what_is_no_prompt(prompts, sentence):
    with pytest.raises(ConfigError, match=re.escape(sentence)):
        templates_of(prompts)


def test_no_word_and_no_text(ask):
    with pytest.raises(ConfigError, match='1 of 1 texts are blank'):
        ask(SENTENCES).encoder.texts(' ', batch_size=1)


def test_pairs_take_one_sentence(tmp_path):
    saved = save('configs/comparison/scan_i2t_ucm.py', tmp_path)
    saved.cfg.prompts = 'white {}'
    one = RetrievalInferencer(saved.cfg, saved.checkpoint, device='cpu', show_progress=False)
    found = one.text_to_image('boats', saved.paths)
    saved.cfg.prompts = None
    plain = RetrievalInferencer(saved.cfg, saved.checkpoint, device='cpu', show_progress=False)
    assert found == plain.text_to_image('white boats', saved.paths) != plain.text_to_image('boats', saved.paths)
    with pytest.raises(ConfigError, match=r"the text '!\?' has no word"):
        one.text_to_image('!?', saved.paths)
    saved.cfg.prompts = ['white {}', 'red {}']
    with pytest.raises(ConfigError, match='prompts has 2 sentences, whose vectors are averaged, but .* scores pairs'):
        RetrievalInferencer(saved.cfg, saved.checkpoint, device='cpu')
