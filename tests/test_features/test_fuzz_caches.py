"""Whatever is in the files of a cache, it is read, or one sentence names a file and says what to do."""

from __future__ import annotations

import errno
import json
import os
import shutil
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from osdpm_plugin.errors import DataError
from osdpm_plugin.features import FeatureStore, SplitWriter, use_feature_cache
from osdpm_plugin.features.build_cache import cache_features
from osdpm_plugin.launch import explain
from osdpm_plugin.registry import DATASETS
from tests.helpers.fuzzing import SEEDS, at_most
from tests.helpers.generated_data import write_dataset
from tests.helpers.shrunk_configs import shrink
from tests.test_datasets.test_fuzz_readers import mutate_bytes, mutate_tree

IMAGES, CAPTIONS = [4, 5], [20, 21, 22, 23, 24, 25, 26, 27, 28, 29]  # of val: five captions an image
FILES = [
    'manifest.json',
    *(f'val/{name}' for name in ('index.json', 'map0.npy', 'pooled.npy', 'text.npy', 'words.npy', 'lengths.npy')),
]


@pytest.fixture(scope='module')
def cached(tmp_path_factory):
    """The config of a cached data set, and its cache."""
    folder = tmp_path_factory.mktemp('cached')
    cfg = shrink('configs/osdpm_ucm.py', folder)
    write_dataset(folder / 'data', 'UCMCaptions', train=4, val=2, test=1, size=16)
    torch.manual_seed(0)
    cache_features(cfg, str(folder / 'cache'), dtype='float32', batch_size=4)
    return use_feature_cache(cfg, str(folder / 'cache')).val_dataloader.dataset, folder / 'cache'


def read_whole(dataset):
    """Every feature of every item, as the collate function would see it."""
    data = DATASETS.build(dataset)
    items = [data[index] for index in range(len(data))]
    assert [item['data_samples'].image_id for item in items] == IMAGES
    assert torch.stack([item['inputs']['pooled'] for item in items]).ndim == 2
    assert torch.stack([item['inputs']['maps'][0] for item in items]).ndim == 4
    for item in items:
        sample = item['data_samples']
        assert len(sample.tower_pooled) == len(sample.tower_words) == len(sample.tower_lengths) == 5
    return items


def spoil(path, seed):
    """Another content for a file: its JSON tree changed, or its bytes; those of an array rather at its ends."""
    content = path.read_bytes()
    if path.suffix == '.json' and seed % 3:
        return json.dumps(mutate_tree(json.loads(content), seed)).encode()
    if path.suffix == '.npy' and seed % 3:
        return mutate_bytes(content[:128], seed) + content[128:]  # NumPy's header
    return mutate_bytes(content, seed)


@at_most(0.5)
@given(seed=SEEDS, name=st.sampled_from(FILES))
def test_fuzz_caches(cached, seed, name):
    dataset, cache = cached
    path = cache / name
    good = path.read_bytes()
    path.write_bytes(spoil(path, seed))
    try:
        read_whole(dataset)
    except DataError as error:
        assert str(cache) in str(error) and '\n' not in str(error) and 'again' in str(error), str(error)
    finally:
        path.write_bytes(good)


def test_the_cache_that_is_spoilt_is_good(cached):
    """Else the test above would prove little."""
    dataset, _ = cached
    ids = [item['data_samples'].caption_ids.tolist() for item in read_whole(dataset)]
    assert sum(ids, []) == CAPTIONS


def edit(path, **changes):
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def edit_arrays(cache, **changes):
    """None: leave the array out."""
    path = cache / 'val' / 'index.json'
    arrays = {**json.loads(path.read_text())['arrays'], **changes}
    edit(path, arrays={name: kind for name, kind in arrays.items() if kind is not None})


def add_map(cache):
    """A second map, as of a tower of two stages."""
    array = np.load(cache / 'val' / 'map0.npy')
    edit_arrays(cache, map1=[array.dtype.name, *array.shape])
    np.save(cache / 'val' / 'map1.npy', array + 1)


def last_map_gone(cache):
    add_map(cache)
    (cache / 'val' / 'map1.npy').unlink()


def no_maps(cache):
    for path in (cache / 'val').glob('map*.npy'):
        edit_arrays(cache, **{path.stem: None})
        path.unlink()


def cut(name, until):
    def damage(cache):
        path = cache / 'val' / name
        path.write_bytes(path.read_bytes()[:until])

    return damage


def turn_axes(cache):
    array = np.load(cache / 'val' / 'text.npy')
    np.save(cache / 'val' / 'text.npy', np.asfortranarray(array))


def manifest(**changes):
    return lambda cache: edit(cache / 'manifest.json', **changes)


def index(**changes):
    return lambda cache: edit(cache / 'val' / 'index.json', **changes)


def arrays(**changes):
    return lambda cache: edit_arrays(cache, **changes)


def gone(name):
    return lambda cache: (cache / 'val' / name).unlink()


DAMAGES = {
    'version': (manifest(version=3), 'was written by another version of the cache; delete it'),
    'no dict': (lambda c: (c / 'manifest.json').write_text('[]'), r'manifest.json is damaged \(wrong content\); del'),
    'null': (lambda c: (c / 'val/index.json').write_text('null'), r'index.json is damaged \(it says null\); delete'),
    'nested': (lambda c: (c / 'manifest.json').write_text('[' * 10**5), r'manifest.json is damaged \(not JSON: '),
    'a folder': (lambda c: (gone('index.json')(c), (c / 'val/index.json').mkdir()), 'index.json cannot be read'),
    'towers': (manifest(towers=['text_tower', 'image_tower']), 'wrong towers'),
    'fewer towers': (manifest(towers=['text_tower']), r'damaged \(no image_tower, of which'),
    'dtype': (manifest(dtype='float64'), 'wrong dtype'),
    'other dtype': (manifest(dtype='float16'), r'index.json is damaged \(float32 map0 instead of one in float16\)'),
    'splits': (manifest(splits=dict(val=dict(data_hash='a'))), 'wrong splits'),
    'split gone': (manifest(splits={}), r'manifest.json is damaged \(no split val\)'),
    'unknown key': (manifest(x=1), "wrong 'x'"),
    'ids': (index(image_ids=[4, 5.0]), 'wrong image_ids'),
    'ids twice': (index(image_ids=[4, 4]), 'wrong image_ids'),
    'ids swapped': (index(image_ids=IMAGES[::-1]), r'index.json is damaged \(other image ids\)'),
    'caption ids': (index(caption_ids=[*CAPTIONS[:-1], 99]), 'other caption ids'),
    'caption gone': (index(caption_ids=CAPTIONS[:-1]), 'wrong caption_ids'),
    'rows': (index(caption_rows=[1, *range(1, 10)]), 'wrong caption_rows'),
    'done': (index(done_images=-1), 'wrong done_images'),
    'half done': (index(done_images=1), 'val is incomplete; run tools/cache_features.py'),
    'map cut': (cut('map0.npy', -8), 'map0.npy is damaged .*delete the folder .*val and cache again'),
    'map empty': (cut('map0.npy', 0), 'map0.npy is damaged'),
    'map gone': (gone('map0.npy'), 'map0.npy is missing; delete the folder .*val and cache'),
    'last map gone': (last_map_gone, 'map1.npy is missing; delete the folder .*val and'),
    'pooled gone': (gone('pooled.npy'), 'pooled.npy is missing; delete the folder .*val and'),
    'pooled not named': (arrays(pooled=None), r'index.json is damaged \(no pooled, of which there is a file\); delete'),
    'map not named': (arrays(map0=None), r'damaged \(no map0, of which there is a file\)'),
    'second map alone': (lambda c: (last_map_gone(c), edit_arrays(c, map0=None)), 'wrong arrays'),
    'words not named': (arrays(words=None), 'wrong arrays'),
    'no maps': (no_maps, r'index.json is damaged \(no map0 instead of one in float32\)'),
    'a strange array': (arrays(other=['float32', 1]), 'wrong arrays'),
    'a strange dtype': (arrays(pooled=['float8', 1, 2, 16]), 'wrong arrays'),
    'a shape of another number of images': (arrays(pooled=['float32', 1, 3, 16]), 'wrong arrays'),
    'a shape with too few axes': (arrays(pooled=['float32', 1, 2]), 'wrong arrays'),
    'a fraction': (arrays(pooled=['float32', 1, 2, 16.0]), 'wrong arrays'),
    'another shape': (
        arrays(pooled=['float32', 1, 2, 17]),
        r'pooled.npy is damaged \(float32 \(1, 2, 16\) in 256 bytes, not float32 \(1, 2, 17\)\)',
    ),
    'text gone': (gone('text.npy'), 'text.npy is missing; delete the folder'),
    'pickle': (lambda c: (c / 'val' / 'text.npy').write_bytes(b'\x80\x04N.'), 'text.npy is damaged'),
    'columns first': (turn_axes, 'text.npy is damaged'),
    'rows gone': (lambda c: np.save(c / 'val/text.npy', np.zeros((3, 16), 'f4')), r'text.npy is damaged \(float32'),
    'lengths': (lambda c: np.save(c / 'val/lengths.npy', np.full(10, 99)), 'numbers of words outside 0 to 16'),
}


@pytest.mark.parametrize('damage', DAMAGES)
def test_sentences(cached, tmp_path, damage):
    dataset, cache = cached
    shutil.copytree(cache, tmp_path / 'cache')
    change, words = DAMAGES[damage]
    change(tmp_path / 'cache')
    with pytest.raises(DataError, match=words):
        read_whole(dict(dataset, cache=str(tmp_path / 'cache')))


def test_all_maps_are_read(cached, tmp_path):
    shutil.copytree(cached[1], tmp_path / 'cache')
    add_map(tmp_path / 'cache')
    first, second = FeatureStore(str(tmp_path / 'cache'), 'val').maps
    np.testing.assert_array_equal(second, first + 1)


ROWS = dict(map0=np.ones((2, 3, 2, 2), np.float32), pooled=np.ones((2, 5), np.float32))


def rename_array(folder, old, new):
    """As if it had been begun by a tower with two maps and no pooled vector."""
    arrays = json.loads((folder / 'index.json').read_text())['arrays']
    del arrays[old]
    edit(folder / 'index.json', arrays={**arrays, new: arrays['map0']})
    (folder / f'{old}.npy').rename(folder / f'{new}.npy')


def begin(folder):
    return SplitWriter(folder, image_ids=[4, 5, 6, 7], caption_ids=[], caption_rows=[], views=1)


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        (lambda f: (f / 'pooled.npy').unlink(), 'pooled.npy is missing; delete the folder'),
        (lambda f: (f / 'map0.npy').write_bytes((f / 'map0.npy').read_bytes()[:-4]), 'map0.npy is damaged'),
        (lambda f: edit(f / 'index.json', done_images=5), 'index.json is damaged .wrong done_images.; delete'),
        (lambda f: rename_array(f, 'pooled', 'map1'), 'was begun with the arrays .*; delete it and cache again'),
        (lambda f: edit(f / 'index.json', image_ids=[4, 5, 6, 8]), 'was begun for other images; delete it'),
    ],
    ids=['file gone', 'file cut', 'count', 'arrays', 'ids'],
)
def test_an_interrupted_cache_goes_on_with_good_files_only(tmp_path, change, words):
    """A file that is gone, or too short, would else be filled up with zeros where features had been."""
    begin(tmp_path).write_images(ROWS)
    writer = begin(tmp_path)
    assert writer.done_images == 2
    writer.write_images(dict(map0=2 * ROWS['map0'], pooled=2 * ROWS['pooled']))
    np.testing.assert_array_equal(np.load(tmp_path / 'pooled.npy')[0, :, 0], [1, 1, 2, 2])
    arrays = json.loads((tmp_path / 'index.json').read_text())['arrays']
    assert arrays == dict(map0=['float32', 1, 4, 3, 2, 2], pooled=['float32', 1, 4, 5])
    edit(tmp_path / 'index.json', done_images=2)
    change(tmp_path)
    with pytest.raises(DataError, match=words):
        begin(tmp_path).write_images(ROWS)


def test_space_is_taken_before_it_is_needed(tmp_path):
    """A map of a sparse file would meet a full disk as SIGBUS, which no Python can catch."""
    writer = SplitWriter(tmp_path, image_ids=range(4096), caption_ids=[], caption_rows=[], views=2)
    writer.write_images(dict(pooled=np.ones((1, 64), np.float32)))
    status = (tmp_path / 'pooled.npy').stat()
    assert status.st_size == 128 + 2 * 4096 * 64 * 4
    if hasattr(os, 'posix_fallocate'):
        assert status.st_blocks * 512 >= status.st_size


@pytest.mark.parametrize('number', [errno.ENOSPC, errno.EDQUOT], ids=errno.errorcode.get)
def test_a_full_disk(tmp_path, monkeypatch, number):
    def full(descriptor, offset, size):
        assert (offset, size) == (0, 128 + 4 * 3 * 2 * 2 * 4)
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, 'posix_fallocate', full, raising=False)
    with pytest.raises(DataError) as caught:
        begin(tmp_path / 'val').write_images(ROWS)
    assert str(caught.value) == (
        f'{tmp_path}/val/map0.npy cannot be made in its full size ({os.strerror(number)}); make room in a folder that '
        'can be written, and cache again'
    )
    assert explain(caught.value) is caught.value  # the tools print it alone
    assert not list((tmp_path / 'val').iterdir()), 'what was taken is given back'
    monkeypatch.undo()
    begin(tmp_path / 'val').write_images(ROWS)
    assert np.load(tmp_path / 'val' / 'pooled.npy').sum() == 10


def test_a_disk_that_fills_while_an_older_cache_goes_on(tmp_path, monkeypatch):
    begin(tmp_path).write_images(ROWS)
    full = mock.Mock(side_effect=OSError(errno.ENOSPC, 'No space left on device'))
    monkeypatch.setattr(os, 'posix_fallocate', full, raising=False)
    with pytest.raises(DataError, match='map0.npy cannot be made in its full size'):
        begin(tmp_path).write_images(ROWS)
    assert begin(tmp_path).done_images == 2 and np.load(tmp_path / 'pooled.npy').sum() == 10


@pytest.mark.parametrize('number', [errno.EOPNOTSUPP, errno.EINVAL], ids=errno.errorcode.get)
def test_a_file_system_that_reserves_nothing(tmp_path, monkeypatch, number):
    unable = mock.Mock(side_effect=OSError(number, os.strerror(number)))
    monkeypatch.setattr(os, 'posix_fallocate', unable, raising=False)
    begin(tmp_path).write_images(ROWS)
    assert begin(tmp_path).done_images == 2


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(DataError, match='Not a directory'):
        begin(tmp_path / 'file' / 'val').write_images(ROWS)


def leave_out(cache, *names):
    for name in names:
        edit_arrays(cache, **{name: None})
        (cache / 'val' / f'{name}.npy').unlink()


def test_a_store_of_one_tower_opens_no_other_files(tmp_path, cached):
    _, cache = cached
    images, texts = tmp_path / 'images', tmp_path / 'texts'
    shutil.copytree(cache, images)
    edit(images / 'manifest.json', towers=['image_tower'])
    leave_out(images, 'text', 'words', 'lengths')
    edit(images / 'val/index.json', caption_ids=[], caption_rows=[], done_texts=0)
    store = FeatureStore(str(images), 'val')
    assert store.text is store.words is store.lengths is None and store.maps[0].shape[:2] == (1, 2)
    shutil.copytree(cache, texts)
    edit(texts / 'manifest.json', towers=['text_tower'])
    leave_out(texts, 'map0', 'pooled')
    edit(texts / 'val/index.json', done_images=0)
    store = FeatureStore(str(texts), 'val')
    assert store.maps == [] and store.pooled is None and len(store.lengths) == len(set(store.row_of_caption.values()))
