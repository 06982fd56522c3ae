"""Procedural scenes: the same bytes for the same seed, captions that are true and tell pictures apart, safe writing."""

import json
import re
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from osdpm_plugin.datasets.scenes import generator, render_scene, scene_of_split, write_scenes
from osdpm_plugin.datasets.scenes.captions import RELATIONS, Description, is_named, write_captions
from osdpm_plugin.datasets.scenes.kinds import KINDS
from osdpm_plugin.datasets.scenes.palette import COLOURS
from osdpm_plugin.datasets.scenes.vocabulary import NOUNS, Thing, article, count_word
from osdpm_plugin.errors import ConfigError, DataError

SMALL = dict(num_train=5, num_val=2, num_test=3, image_size=64)
#: Words that a flip or a quarter turn of the picture would make untrue.
DIRECTIONS = {
    'left',
    'right',
    'top',
    'bottom',
    'upper',
    'lower',
    'above',
    'below',
    'north',
    'south',
    'east',
    'west',
    'horizontal',
    'vertical',
    'under',
    'corner',
}


@pytest.fixture(scope='module')
def scenes():
    """200 test pictures, as `write_scenes` draws them."""
    return [scene_of_split('test', i, image_size=128) for i in range(200)]


def _files(root: Path) -> dict:
    return {path.name: path.read_bytes() for path in sorted((root / 'images').iterdir())}


def _record(root: Path) -> dict:
    return json.loads((root / 'dataset.json').read_text())


# --- determinism
def test_same_seed_same_scene():
    first, second, other = render_scene(7), render_scene(7), render_scene(8)
    assert np.array_equal(first.image, second.image) and first.captions == second.captions
    assert first.image.shape == (256, 256, 3) and first.image.dtype == np.uint8
    assert not np.array_equal(first.image, other.image)


def test_size_changes_neither_content_nor_captions():
    large, small = render_scene(3, 256), render_scene(3, 128)
    assert large.captions == small.captions and large.facts == small.facts
    halved = cv2.resize(large.image, (128, 128), interpolation=cv2.INTER_AREA).astype(int)
    assert np.abs(halved - small.image).mean() < 6  # noise and light of the sensor only
    assert [2 * box.x0 for box in small.boxes] == [box.x0 for box in large.boxes]
    assert render_scene(3, 640).image.shape == (640, 640, 3)


def test_bytes_do_not_depend_on_workers(tmp_path):
    one = write_scenes(tmp_path / 'one', num_workers=1, **SMALL)
    two = write_scenes(tmp_path / 'two', num_workers=2, **SMALL)
    assert _files(one) == _files(two) and len(_files(one)) == 10
    assert (one / 'dataset.json').read_bytes() == (two / 'dataset.json').read_bytes()


def test_a_larger_set_starts_with_the_smaller_one(tmp_path):
    small = write_scenes(tmp_path / 'small', num_workers=1, **SMALL)
    large = write_scenes(tmp_path / 'large', num_workers=1, **{**SMALL, 'num_train': 8, 'num_test': 4})
    few, many = _files(small), _files(large)
    assert {name: many[name] for name in few} == few
    captions = {i['filename']: [s['raw'] for s in i['sentences']] for i in _record(large)['images']}
    for image in _record(small)['images']:
        assert captions[image['filename']] == [s['raw'] for s in image['sentences']]


def test_splits_and_seeds_share_nothing(tmp_path):
    counts = dict(num_train=4, num_val=4, num_test=4, image_size=64, num_workers=1)
    first = _files(write_scenes(tmp_path / 'a', seed=0, **counts))
    second = _files(write_scenes(tmp_path / 'b', seed=1, **counts))
    assert len({*first.values(), *second.values()}) == 24


# --- captions
def test_five_different_clean_captions(scenes):
    for scene in scenes:
        assert len(scene.captions) == len(set(scene.captions)) == 5
        for caption in scene.captions:
            assert re.fullmatch(r'[a-z]+( [a-z]+)+', caption), caption
            assert not DIRECTIONS & set(caption.split()), caption
            words = caption.split()
            assert all(a != b for a, b in zip(words, words[1:])), caption
    assert not DIRECTIONS & {word for words in RELATIONS.values() for phrase in words for word in phrase.split()}


def test_captions_name_the_main_thing_and_state_only_facts(scenes):
    for scene in scenes:
        for caption, stated in zip(scene.captions, scene.caption_facts):
            assert is_named(scene.main, caption), (scene.main, caption)
            assert stated <= scene.facts
            assert len(stated) >= 3, caption
            for key, name, value in stated:
                assert is_named(key, caption), (key, caption)
                if name == 'colour':
                    assert value in caption.split()
                if name == 'count':
                    assert {value, 'a', 'an'} & set(caption.split())


def test_grammar(scenes):
    for caption in (caption for scene in scenes for caption in scene.captions):
        for determiner, vowel in (('a', False), ('an', True)):
            for match in re.finditer(rf'\b{determiner} (\w)', caption):
                assert (match[1] in 'aeiou') == vowel, caption
        if match := re.match(r'there (is|are) (\w+)', caption):
            many = match[2] in ('two', 'three', 'four', 'five', 'six', 'several', 'many')
            assert (match[1] == 'are') == many, caption
    assert (article('orange ship'), article('red ship')) == ('an orange ship', 'a red ship')


@pytest.mark.parametrize(
    ('thing', 'text'),
    [
        (Thing('plane', 3, 'white', 'small'), 'three small white (planes|airplanes|aircraft)'),
        (Thing('church', 1, 'orange'), 'an orange church'),
        (Thing('building', 2, 'red', roof=True), 'two (red buildings|buildings with red roofs)'),
        (Thing('panel', 12, 'blue'), 'many (rows|lines) of blue solar panels'),
        (Thing('grass', None, 'green'), 'green (grass|grassland)'),
        (Thing('car', 8, 'red', suffix='in two rows'), 'several red (cars|vehicles)( in two rows)?'),
    ],
)
def test_noun_phrases(thing, text):
    for seed in range(12):
        phrase, facts = thing.phrase(np.random.default_rng(seed), colour=1, size=1)
        assert re.fullmatch(text, phrase), phrase
        assert facts <= thing.facts | {(thing.key, 'here', 'yes')}


def test_count_words():
    words = ['one', 'two', 'six', 'several', 'several', 'many', 'many']
    assert [count_word(n) for n in (1, 2, 6, 7, 9, 10, 80)] == words


def test_a_lonely_main_thing_still_gets_captions():
    planes = Description('airport', Thing('plane', 2, 'red'), place='airport')
    texts, _ = write_captions(np.random.default_rng(0), planes)
    assert len(set(texts)) == 5


def test_captions_tell_pictures_apart(scenes):
    owners = Counter(caption for scene in scenes for caption in scene.captions)
    assert np.mean([owners[c] == 1 for s in scenes for c in s.captions]) > 0.98
    fits = np.array(
        [[sum(stated <= other.facts for other in scenes) for stated in scene.caption_facts] for scene in scenes]
    )
    assert fits.min() >= 1
    assert (fits == 1).mean() > 0.93  # what a caption says is true of one picture of the 200


# --- pictures
def test_kinds_are_dealt_evenly(scenes):
    counts = Counter(scene.kind for scene in scenes)
    assert len(KINDS) >= 14 and set(counts) == set(KINDS)
    assert set(counts.values()) == {200 // len(KINDS), 200 // len(KINDS) + 1}


def test_as_many_objects_are_drawn_as_named(scenes):
    checked = 0
    for scene in scenes:
        drawn = Counter(box.key for box in scene.boxes)
        for key, name, value in scene.facts:
            if name == 'count' and key in drawn:
                assert count_word(drawn[key]) == value, (scene.kind, key, drawn[key], value)
                checked += 1
    assert checked > 300


def test_objects_have_the_colour_named(scenes):
    stated = {(key, value) for scene in scenes for key, name, value in scene.facts if name == 'colour'}
    assert len(stated) > 60
    palette = np.array(list(COLOURS.values()), float)
    names = list(COLOURS)
    right = []
    for scene in scenes:
        colours = {key: value for key, name, value in scene.facts if name == 'colour'}
        for box in scene.boxes:
            if box.key not in ('plane', 'tank', 'building', 'ship', 'stadium', 'panel', 'umbrella', 'train', 'island'):
                continue
            assert colours[box.key] == box.colour
            x0, y0, x1, y1 = (int(round(v)) for v in (box.x0, box.y0, box.x1, box.y1))
            patch = scene.image[max(y0, 0) : y1, max(x0, 0) : x1].reshape(-1, 3).astype(float)
            if len(patch) < 20:
                continue
            nearest = np.linalg.norm(patch[:, None] - palette, axis=-1).argmin(1)
            right.append((nearest == names.index(box.colour)).mean() > 0.1)
    assert len(right) > 150 and np.mean(right) > 0.93


def test_main_objects_are_in_the_picture(scenes):
    for scene in scenes:
        for box in scene.boxes:
            if box.key == scene.main and box.key in ('plane', 'tank', 'tennis court', 'football field', 'church'):
                assert min(box.x0, box.y0) > -4 and max(box.x1, box.y1) < 132, (scene.kind, box)


def test_every_noun_key_that_scenes_use_is_known(scenes):
    assert {key for scene in scenes for key, _, _ in scene.facts} <= set(NOUNS)


def test_unknown_kind_and_small_size():
    with pytest.raises(ConfigError, match="kind must be one of 'airport'"):
        render_scene(0, kind='moon')
    with pytest.raises(ConfigError, match='at least 64'):
        render_scene(0, 63)
    assert render_scene(0, 64, kind='church').kind == 'church'


# --- writing
def test_layout(tmp_path):
    root = write_scenes(tmp_path / 'deep' / 'set', num_workers=1, **SMALL)
    record = _record(root)
    assert record['dataset'] == 'procedural_scenes'
    assert record['generator'] == {
        'version': generator.GENERATOR_VERSION,
        'seed': 0,
        'image_size': 64,
        'quality': 92,
        'counts': {'train': 5, 'val': 2, 'test': 3},
    }
    images = record['images']
    assert [image['imgid'] for image in images] == list(range(10))
    assert [i['filename'] for i in images[:6]] == [*(f'train_{i:05d}.jpg' for i in range(1, 6)), 'val_00001.jpg']
    assert Counter(image['split'] for image in images) == {'train': 5, 'val': 2, 'test': 3}
    sentids = [i for image in images for i in image['sentids']]
    assert sentids == list(range(50))
    for image in images:
        assert image['class'] in KINDS
        assert cv2.imread(str(root / 'images' / image['filename'])).shape == (64, 64, 3)
        for sentid, sentence in zip(image['sentids'], image['sentences']):
            assert (sentence['sentid'], sentence['imgid']) == (sentid, image['imgid'])
            assert sentence['tokens'] == sentence['raw'].split()
    scene = scene_of_split('val', 1, image_size=64)
    assert [s['raw'] for s in images[6]['sentences']] == list(scene.captions)
    written = cv2.imread(str(root / 'images' / 'val_00002.jpg'))[..., ::-1].astype(int)
    assert np.abs(written - scene.image).mean() < 12  # up to JPEG, which blurs colour at 64 pixels
    means = written.mean((0, 1)), scene.image.mean((0, 1))
    assert np.abs(means[0] - means[1]).max() < 3 < np.ptp(means[1])  # channels in order


def test_reuse_writes_nothing(tmp_path):
    root = write_scenes(tmp_path / 'set', num_workers=1, **SMALL)
    before = {path: path.stat().st_mtime_ns for path in root.rglob('*')}
    assert write_scenes(root, num_workers=2, **SMALL) == root
    assert {path: path.stat().st_mtime_ns for path in root.rglob('*')} == before


@pytest.mark.parametrize('change', [{'seed': 1}, {'num_train': 6}, {'image_size': 96}, {'quality': 80}])
def test_other_parameters_are_an_error(tmp_path, change):
    root = write_scenes(tmp_path / 'set', num_workers=1, num_train=1, num_val=0, num_test=0, image_size=64)
    with pytest.raises(DataError, match='other parameters; delete this folder'):
        write_scenes(root, num_workers=1, **{'num_train': 1, 'num_val': 0, 'num_test': 0, 'image_size': 64, **change})


@pytest.mark.parametrize('content', ['{"images": []}', '[]', 'not json', None])
def test_foreign_folders_are_left_alone(tmp_path, content):
    root = tmp_path / 'mine'
    root.mkdir()
    (root / ('dataset.json' if content else 'holiday.jpg')).write_text(content or 'x')
    before = sorted(path.name for path in root.iterdir())
    with pytest.raises(DataError, match=f'{re.escape(str(root))} holds files that are not procedural scenes'):
        write_scenes(root, num_workers=1, **SMALL)
    assert sorted(path.name for path in root.iterdir()) == before


def test_an_empty_folder_is_filled(tmp_path):
    (tmp_path / 'set').mkdir()
    write_scenes(tmp_path / 'set', num_workers=1, num_train=1, num_val=0, num_test=0, image_size=64)
    assert (tmp_path / 'set' / 'images' / 'train_00001.jpg').is_file()


@pytest.mark.parametrize('num_workers', [1, 2])
def test_a_failure_leaves_nothing(tmp_path, monkeypatch, num_workers):
    draw = generator.render_scene

    def fail_at_third(seed, *args, **kwargs):
        if seed[1:] == (0, 2):
            raise RuntimeError('the power went out')
        return draw(seed, *args, **kwargs)

    threads = cv2.getNumThreads()
    monkeypatch.setattr(generator, 'render_scene', fail_at_third)
    with pytest.raises(RuntimeError, match='power'):
        write_scenes(tmp_path / 'set', num_workers=num_workers, **SMALL)
    assert list(tmp_path.iterdir()) == []
    assert cv2.getNumThreads() == threads


def test_another_process_was_faster(tmp_path, monkeypatch):
    root, results = tmp_path / 'set', generator.draw_all

    def slow(jobs, write, num_workers):
        monkeypatch.setattr(generator, 'draw_all', results)
        write_scenes(root, num_workers=1, **SMALL)
        return results(jobs, write, num_workers)

    monkeypatch.setattr(generator, 'draw_all', slow)
    assert write_scenes(root, num_workers=1, **SMALL) == root
    assert [path.name for path in tmp_path.iterdir()] == ['set']


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'num_train': -1}, 'ProceduralScenes: num_train must be a whole number of at least 0, got -1'),
        ({'num_train': 0, 'num_val': 0, 'num_test': 0}, 'all 0'),
        ({'image_size': 63}, 'image_size must be a whole number of at least 64, got 63'),
        ({'seed': -1}, 'seed must be a whole number of at least 0'),
        ({'quality': 101}, 'quality must be a whole number from 1 to 100, got 101'),
        ({'num_workers': 0}, 'num_workers must be a whole number of at least 1'),
    ],
)
def test_bad_arguments(tmp_path, change, message):
    with pytest.raises(ConfigError, match=message):
        write_scenes(tmp_path / 'set', **{**SMALL, **change})
    assert list(tmp_path.iterdir()) == []
