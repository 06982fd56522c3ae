"""Hashes and the search for near-duplicates."""

import sys

import cv2
import numpy as np
import pytest
from PIL import Image, ImageEnhance

from osdpm_plugin.errors import ConfigError, DataError
from osdpm_plugin.lab.data.auditing import find_near_duplicates, hash_images, near_duplicates
from tests.helpers.planted_duplicates import jpeg, picture


def hashed(tmp_path, *images):
    paths = [tmp_path / f'{i}.png' for i in range(len(images))]
    for path, image in zip(paths, images):
        image.save(path)
    return hash_images([str(path) for path in paths], progress=False)


def bits_between(a, b):
    return bin(int(a) ^ int(b)).count('1')


def test_copies_are_near_and_others_far(tmp_path):
    image = picture(0)
    copies = (image, jpeg(image), ImageEnhance.Brightness(image).enhance(1.1), image.resize((64, 64)))
    found = hashed(tmp_path, image, *copies, picture(1))
    distances = [bits_between(found.perceptual[0], other) for other in found.perceptual[1:]]
    assert distances[0] == 0
    assert max(distances[:4]) <= near_duplicates.DEFAULT_MAX_DISTANCE
    assert distances[4] > 16
    assert [pixels == found.pixels[0] for pixels in found.pixels] == [True, True, False, False, False, False]


def test_hash_is_that_of_imagehash(tmp_path):
    import imagehash

    image = picture(5)
    assert f'{int(hashed(tmp_path, image).perceptual[0]):016x}' == str(imagehash.phash(image))


def test_deep_grey_images_are_hashed(tmp_path):
    grey = np.asarray(picture(2).convert('L'))
    deep = Image.fromarray(grey.astype(np.uint16) * 64)
    found = hashed(tmp_path, Image.fromarray(grey), deep)
    assert bits_between(*found.perceptual) <= near_duplicates.DEFAULT_MAX_DISTANCE
    assert found.pixels[0] != found.pixels[1]


def test_a_jpeg_that_ends_early_has_no_hash(tmp_path, monkeypatch):
    """OpenCV before 5 pads it with grey."""
    for name in ('whole.jpg', 'half.jpg'):
        picture(0).save(tmp_path / name)
    content = (tmp_path / 'half.jpg').read_bytes()
    (tmp_path / 'half.jpg').write_bytes(content[: len(content) // 2])
    monkeypatch.setattr(cv2, 'imdecode', lambda content, flag: np.zeros((64, 64, 3), np.uint8))
    found = hash_images([str(tmp_path / 'whole.jpg'), str(tmp_path / 'half.jpg')], progress=False)
    assert found.positions.tolist() == [0]
    assert found.unreadable == [(str(tmp_path / 'half.jpg'), 'the JPEG ends early')]


def test_unreadable_images_are_listed(tmp_path):
    picture(0).save(tmp_path / 'good.png')
    (tmp_path / 'bad.png').write_bytes(b'no image')
    paths = [str(tmp_path / name) for name in ('bad.png', 'good.png', 'missing.png')]
    found = hash_images(paths, progress=False)
    assert found.positions.tolist() == [1]
    assert [path for path, _ in found.unreadable] == [paths[0], paths[2]]
    with pytest.raises(DataError, match='not one of 2 images can be read.*bad.png'):
        hash_images(paths[::2], progress=False)


def test_missing_library_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'imagehash', None)
    with pytest.raises(DataError, match='pip install imagehash'):
        hash_images([str(tmp_path / 'a.png')], progress=False)


def random_hashes(seed, total=40):
    """Hashes a few bits from each other, so that chains arise, and a group of each."""
    rng = np.random.default_rng(seed)
    seeds = rng.integers(0, 2**63, 6, dtype=np.uint64)
    flips = np.zeros(total, dtype=np.uint64)
    for _ in range(3):
        flips |= np.uint64(1) << rng.integers(0, 64, total, dtype=np.uint64)
    return seeds[rng.integers(0, 6, total)] ^ flips, np.sort(rng.choice([0, 1, 3], total))


@pytest.mark.parametrize('numpy_1', [False, True])
@pytest.mark.parametrize('seed', range(4))
def test_search_by_naive_loops(seed, numpy_1, monkeypatch):
    monkeypatch.setattr(near_duplicates, 'BLOCK', 7)
    if numpy_1:
        monkeypatch.delattr(np, 'bitwise_count', raising=False)
    hashes, groups = random_hashes(seed)
    limit, count, total = 4, 4, len(hashes)  # group 2 is empty
    found = find_near_duplicates(hashes, groups, count, max_distance=limit)
    near = {
        (i, j) for i in range(total) for j in range(total) if i != j and bits_between(hashes[i], hashes[j]) <= limit
    }
    assert near
    for a in range(count):
        for b in range(count):
            pairs = {frozenset(p) for p in near if {groups[p[0]], groups[p[1]]} == {a, b}}
            assert found.pairs[a, b] == len(pairs)
    for i in range(total):
        for g in range(count):
            there = [(bits_between(hashes[i], hashes[j]), j) for j in range(total) if (i, j) in near and groups[j] == g]
            assert (found.distance[i, g], found.nearest[i, g]) == (min(there) if there else (255, -1))
    labels = list(range(total))
    for _ in range(total):
        for i, j in near:
            labels[i] = labels[j] = min(labels[i], labels[j])
    for i in range(total):
        for j in range(total):
            assert (found.cluster[i] == found.cluster[j]) == (labels[i] == labels[j])


def test_all_alike_and_limits():
    found = find_near_duplicates(np.zeros(5, np.uint64), np.array([0, 0, 1, 1, 1]), 2, max_distance=0)
    assert found.pairs.tolist() == [[1, 6], [6, 3]]
    assert len(set(found.cluster.tolist())) == 1
    with pytest.raises(ConfigError, match='max_distance must be a whole number from 0 to 63'):
        find_near_duplicates(np.zeros(1, np.uint64), np.zeros(1, int), 1, max_distance=64)
