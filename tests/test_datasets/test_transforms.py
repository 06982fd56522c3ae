"""Transforms against hand-worked cases."""

import os
from collections import Counter

import cv2
import numpy as np
import pytest

from osdpm_plugin.datasets.text.caption_text import caption_key
from osdpm_plugin.datasets.transforms.pixels import planes, quarter_turned
from osdpm_plugin.errors import ConfigError
from osdpm_plugin.registry import TRANSFORMS

ITEM = dict(
    image_id=3, img_path='x.jpg', captions=['two planes', 'a plane beside trees', 'a park'], caption_ids=[15, 16, 17]
)


def test_rotation_moves_pixels_as_worked_by_hand():
    """[[1, 2], [3, 4]] turned by 90 degrees against the clock is [[2, 4], [1, 3]], and so on; nothing is
    interpolated.
    """
    image = np.array([[1, 2], [3, 4]], dtype=np.uint8)[..., None].repeat(3, axis=2)
    turns = {(1, 2, 3, 4): 0, (2, 4, 1, 3): 1, (4, 3, 2, 1): 2, (3, 1, 4, 2): 3}
    np.random.seed(0)
    rotate = TRANSFORMS.build(dict(type='RandomRotate90', prob=0.75))
    seen = Counter(turns[tuple(rotate(dict(img=image))['img'][..., 0].ravel().tolist())] for _ in range(4000))
    assert all(abs(seen[k] - 1000) < 110 for k in range(4))  # 4 standard deviations of a binomial(4000, 1/4)
    assert image[0, 0, 0] == 1
    still = TRANSFORMS.build(dict(type='RandomRotate90', prob=0.0))
    np.testing.assert_array_equal(still(dict(img=image))['img'], image)
    tall = TRANSFORMS.build(dict(type='RandomRotate90', prob=1.0))(dict(img=np.zeros((4, 6, 3), np.uint8)))
    assert tall['img_shape'] in ((4, 6), (6, 4)) and tall['img'].flags.c_contiguous


def test_sampled_captions_keep_their_ids_and_are_all_drawn():
    np.random.seed(0)
    sample = TRANSFORMS.build(dict(type='SampleCaptions', num=2))
    seen = Counter()
    for _ in range(300):
        out = sample(ITEM)
        assert [ITEM['captions'][i - 15] for i in out['caption_ids']] == out['captions'] and len(
            set(out['caption_ids'])
        ) == 2
        seen.update(out['caption_ids'])
    assert all(abs(seen[i] - 200) < 40 for i in (15, 16, 17))
    assert TRANSFORMS.build(dict(type='SampleCaptions', num=9))(ITEM)['caption_ids'].__len__() == 3
    assert len(ITEM['captions']) == 3


def test_distinct_captions_are_drawn_once_however_often_they_are_repeated():
    """Texts a, b, a, A., c: three different ones, each at its first place, all drawn alike."""
    item = dict(captions=['a', 'b', 'a', 'A.', 'c'], caption_ids=[10, 11, 12, 13, 14])
    every = TRANSFORMS.build(dict(type='SampleCaptions', num=5, distinct=True))(item)
    assert sorted(every['caption_ids']) == [10, 11, 14] and sorted(every['captions']) == ['a', 'b', 'c']
    np.random.seed(0)
    one = TRANSFORMS.build(dict(type='SampleCaptions', num=1, distinct=True))
    seen = Counter(one(item)['caption_ids'][0] for _ in range(300))
    assert set(seen) == {10, 11, 14} and all(abs(n - 100) < 40 for n in seen.values())


def test_object_counts_are_shares_of_all_captions():
    count = TRANSFORMS.build(dict(type='CountObjects'))
    out = count(ITEM)
    categories = count.lexicon.categories
    shares = {categories[i]: out['object_counts'][i] for i in np.flatnonzero(out['object_counts'])}
    assert shares == pytest.approx({'plane': 2 / 3, 'tree': 1 / 3, 'park': 1 / 3})


def test_pack_carries_everything():
    item = dict(
        ITEM,
        img=np.arange(24, dtype=np.uint8).reshape(2, 4, 3),
        tokens=np.ones((3, 5), np.int64),
        object_counts=np.array([0.5, 0], np.float32),
    )
    packed = TRANSFORMS.build(dict(type='PackRetrievalInputs'))(item)
    assert packed['inputs'].shape == (3, 2, 4) and packed['inputs'][1, 0].tolist() == [1, 4, 7, 10]
    sample = packed['data_samples']
    assert sample.image_id == 3 and sample.caption_ids.tolist() == [15, 16, 17] and sample.img_path == 'x.jpg'
    assert sample.caption_keys.tolist() == [caption_key(c) for c in ITEM['captions']]
    assert sample.object_counts.tolist() == [0.5, 0]


@pytest.mark.parametrize('cfg', [dict(type='RandomRotate90', prob=1.5), dict(type='SampleCaptions', num=0)])
def test_arguments_out_of_range(cfg):
    with pytest.raises(ConfigError, match=cfg['type']):
        TRANSFORMS.build(cfg)


VIEWS = dict(
    whole=lambda a: a,
    down=lambda a: a[::-1],
    right=lambda a: a[:, ::-1],
    both=lambda a: a[::-1, ::-1],
    cut=lambda a: a[1:, 2:],
    cut_and_flipped=lambda a: a[1:, :0:-1],
    colours=lambda a: a[..., ::-1],
    transposed=lambda a: a.transpose(1, 0, 2),
)


@pytest.mark.parametrize('view', VIEWS)
@pytest.mark.parametrize(
    'shape, dtype', [((5, 7, 3), np.uint8), ((6, 4, 1), np.uint8), ((6, 4, 3), np.float32), ((6, 4, 5), np.uint16)]
)
def test_pixels_move_as_numpy_moves_them(shape, dtype, view):
    image = VIEWS[view]((np.random.default_rng(0).random(shape) * 250).astype(dtype))
    before = image.copy()
    for turns in range(4):
        turned = quarter_turned(image, turns)
        np.testing.assert_array_equal(turned, np.rot90(image, turns))
        assert turned.flags.c_contiguous and turned.dtype == dtype
    np.testing.assert_array_equal(planes(image), image.transpose(2, 0, 1))
    assert planes(image).flags.c_contiguous
    np.testing.assert_array_equal(image, before)


def test_planes_that_opencv_puts_elsewhere(monkeypatch):
    image = np.random.default_rng(0).integers(0, 255, (5, 7, 3), dtype=np.uint8)
    monkeypatch.setattr(cv2, 'split', lambda image, places: tuple(image[..., c].copy() for c in range(3)))
    np.testing.assert_array_equal(planes(image), image.transpose(2, 0, 1))


def test_remembered_tokens_are_those_of_the_tokenizer(monkeypatch):
    """Each text is read once, whatever the order; what is handed out is a copy; a full memory begins anew."""
    step = TRANSFORMS.build(dict(type='TokenizeCaptions', tokenizer=dict(type='WordTokenizer', context_length=4)))
    plain, read = step.tokenizer, []
    monkeypatch.setattr(step, 'tokenizer', lambda texts: read.extend(texts) or plain(texts))
    for captions in (['a b', 'c'], ['c', 'a b', 'c'], ['d', 'c'], []):
        tokens = step(dict(captions=captions))['tokens']
        np.testing.assert_array_equal(tokens, plain(captions))
        assert tokens.shape == (len(captions), 4) and tokens.dtype == np.int64
        tokens[:] = -1
    assert read == ['a b', 'c', 'd']
    monkeypatch.setattr('osdpm_plugin.datasets.transforms.tokenize_captions.MOST_CACHED', 2)
    np.testing.assert_array_equal(step(dict(captions=['c', 'e']))['tokens'], plain(['c', 'e']))
    assert read[3:] == ['c', 'e']


def test_decoded_images_are_those_of_the_file(tmp_path):
    """Decoded once; a file that changes is decoded again; a missing one is an error."""
    path = tmp_path / 'a.png'
    first, second = (np.random.default_rng(i).integers(0, 255, (6, 5, 3), dtype=np.uint8) for i in range(2))
    kept = tmp_path / 'kept'
    load = TRANSFORMS.build(dict(type='LoadDecodedImage', folder=str(kept)))
    cv2.imwrite(str(path), first)
    for _ in range(2):
        found = load(dict(img_path=str(path), image_id=1))
        np.testing.assert_array_equal(found['img'], first)
        assert found['img_shape'] == found['ori_shape'] == (6, 5) and found['image_id'] == 1
    assert len(list(kept.iterdir())) == 1
    file = next(kept.iterdir())
    whole = file.read_bytes()
    for content in (whole[:-9], whole[:40], b'', b'PK no archive', b'nothing'):
        file.write_bytes(content)
        np.testing.assert_array_equal(load(dict(img_path=str(path)))['img'], first)
        assert file.read_bytes() == whole
    for other in (first[..., 0], first.astype(np.float32)):
        np.save(file, other)
        np.testing.assert_array_equal(load(dict(img_path=str(path)))['img'], first)
        assert file.read_bytes() == whole
    cv2.imwrite(str(path), second)
    os.utime(path, ns=(1, 1))
    np.testing.assert_array_equal(load(dict(img_path=str(path)))['img'], second)
    cv2.imwrite(str(path), first.astype(np.uint16) * 12)
    stretched = load(dict(img_path=str(path)))['img']
    assert abs(stretched.mean() - first.mean()) < 10
    swapped = TRANSFORMS.build(dict(type='LoadDecodedImage', folder=str(kept), bands=(2, 1, 0)))
    for _ in range(2):
        np.testing.assert_array_equal(swapped(dict(img_path=str(path)))['img'], stretched[..., ::-1])
    with pytest.raises(FileNotFoundError):
        load(dict(img_path=str(tmp_path / 'none.png')))
    with pytest.raises(ConfigError, match='cannot be made'):
        TRANSFORMS.build(dict(type='LoadDecodedImage', folder=str(path)))
