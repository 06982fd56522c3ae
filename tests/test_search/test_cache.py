"""Embeddings on disk: keyed by model, transforms and content; whole or not there; damaged ones are made again."""

from __future__ import annotations

import multiprocessing
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image

from osdpm_plugin.errors import ConfigError, DataError
from osdpm_plugin.search import RetrievalInferencer, default_cache_dir, index
from osdpm_plugin.search import cache as cache_module
from osdpm_plugin.search.cache import SUFFIX, EmbeddingCache
from osdpm_plugin.search.encoder import Vector
from osdpm_plugin.search.image_pipeline import ImagePipeline
from tests.helpers.saved_models import disturb, save

pytestmark = pytest.mark.stack
CONFIG = 'configs/comparison/vsepp_ucm.py'  # small and quick


@pytest.fixture(scope='module')
def saved(tmp_path_factory):
    return save(CONFIG, tmp_path_factory.mktemp('cache'))


@pytest.fixture
def images(saved, tmp_path):
    """The six test images, in a folder of their own."""
    folder = tmp_path / 'images'
    folder.mkdir()
    for i, path in enumerate(saved.paths):
        shutil.copy(path, folder / f'{i}.tif')
    return folder


class Counted(RetrievalInferencer):
    """Counts the images that go through the model."""

    def __init__(self, saved, cache, *, cfg=None, checkpoint=None, **options):
        options = dict(dict(device='cpu', show_progress=False), **options)
        super().__init__(saved.cfg if cfg is None else cfg, checkpoint or saved.checkpoint, cache=cache, **options)
        self.embedded = 0
        encode = self.encoder.images

        def count(batch):
            self.embedded += len(batch['inputs'])
            return encode(batch)

        self.encoder.images = count

    def embed(self, images):
        """Vectors, and how many images went through the model for them."""
        before = self.embedded
        return self.index(images, batch_size=4).embedding, self.embedded - before


def files_of(cache):
    return sorted(Path(cache).rglob(f'*{SUFFIX}'))


def test_what_is_known_is_read(saved, images, tmp_path):
    cache = tmp_path / 'cache'
    first, count = Counted(saved, cache).embed(images)
    assert count == 6 and len(files_of(cache)) == 1
    again, count = Counted(saved, cache).embed(images)
    assert count == 0 and len(files_of(cache)) == 1
    np.testing.assert_array_equal(first, again)
    without, count = Counted(saved, None).embed(images)
    assert count == 6
    np.testing.assert_array_equal(first, without)


def test_only_a_changed_image_is_embedded_again(saved, images, tmp_path):
    cache = tmp_path / 'cache'
    first, _ = Counted(saved, cache).embed(images)
    times = os.stat(images / '2.tif')
    Image.open(images / '2.tif').rotate(90).save(images / '2.tif')
    os.utime(images / '2.tif', ns=(times.st_atime_ns, times.st_mtime_ns))  # times say nothing
    second, count = Counted(saved, cache).embed(images)
    assert count == 1
    assert [i for i in range(6) if not np.array_equal(first[i], second[i])] == [2]
    np.testing.assert_allclose(second[2], Counted(saved, None).embed([images / '2.tif'])[0][0], rtol=0, atol=1e-6)


def test_equal_content_is_embedded_once(saved, images, tmp_path):
    shutil.copy(images / '1.tif', images / 'copy of 1.tif')
    os.rename(images / '0.tif', images / 'z.tif')
    cache = tmp_path / 'cache'
    vectors, count = Counted(saved, cache).embed(images)
    assert count == 6 and len(vectors) == 7
    names = sorted(os.listdir(images))
    np.testing.assert_array_equal(vectors[names.index('1.tif')], vectors[names.index('copy of 1.tif')])
    os.rename(images / 'z.tif', images / 'y.tif')
    assert Counted(saved, cache).embed(images)[1] == 0, 'a name is no content'


def test_new_weights_never_read_old_vectors(saved, images, tmp_path):
    cache = tmp_path / 'cache'
    first, _ = Counted(saved, cache).embed(images)
    other = disturb(saved.checkpoint, tmp_path / 'other.pth')
    inferencer = Counted(saved, cache, checkpoint=other)
    second, count = inferencer.embed(images)
    assert count == 6 and not np.array_equal(first, second)
    np.testing.assert_array_equal(second, Counted(saved, None, checkpoint=other).embed(images)[0])
    assert Counted(saved, cache).embed(images)[1] == 0, 'the old ones are still there for the old weights'
    same = shutil.copy(saved.checkpoint, tmp_path / 'renamed.pth')
    assert Counted(saved, cache, checkpoint=same).embed(images)[1] == 0, 'a file name is no weight'


@pytest.mark.parametrize('way', ['load_state_dict', 'in place', 'another tensor', 'statistics'])
def test_weights_that_change_under_a_live_inferencer(saved, images, tmp_path, way):
    inferencer = Counted(saved, tmp_path / 'cache')
    model, old = inferencer.model, inferencer.index(images)
    key = inferencer.encoder.key
    assert inferencer.encoder.key is key, 'hashed once'
    weight = next(p for p in model.neck.parameters())
    if way == 'load_state_dict':
        other = torch.load(disturb(saved.checkpoint, tmp_path / 'other.pth'), weights_only=False)['state_dict']
        model.load_state_dict(other)
    elif way == 'in place':
        with torch.no_grad():
            weight.add_(1e-3)
    elif way == 'another tensor':
        weight.data = weight.data + 1e-3
    else:
        model.data_preprocessor.mean.add_(1.0)
    vectors, count = inferencer.embed(images)
    assert count == 6 and not np.array_equal(vectors, old.embedding)
    with pytest.raises(ConfigError, match='the gallery was indexed by another model or pipeline; make it anew'):
        inferencer.text_to_image('a ship', old)
    if way == 'load_state_dict':
        fresh = Counted(saved, None, checkpoint=tmp_path / 'other.pth')
        np.testing.assert_array_equal(vectors, fresh.embed(images)[0])
        assert inferencer.encoder.key == fresh.encoder.key


CHANGES = {
    'size': lambda cfg: cfg.test_dataloader.dataset.pipeline[1].update(scale=(48, 48)),
    'interpolation': lambda cfg: cfg.test_dataloader.dataset.pipeline[1].update(interpolation='nearest'),
    'loader': lambda cfg: cfg.test_dataloader.dataset.pipeline[0].update(type='LoadRemoteSensingImage', stretch='none'),
    'statistics': lambda cfg: cfg.model.data_preprocessor.update(mean=(0.0, 0.0, 0.0)),
    'channel order': lambda cfg: cfg.model.data_preprocessor.update(channel_order='bgr'),
    'model': lambda cfg: cfg.model.neck.update(normalize=not cfg.model.neck.get('normalize', True)),
    'precision': lambda cfg: cfg.test_cfg.update(fp16=True),
}


@pytest.mark.parametrize('change', CHANGES)
def test_what_else_decides_an_embedding(saved, images, tmp_path, change):
    """The same weights, otherwise used."""
    plain = Counted(saved, tmp_path / 'cache')
    plain.embed(images)
    cfg = Config.fromfile(saved.cfg.filename)
    CHANGES[change](cfg)
    changed = Counted(saved, tmp_path / 'cache', cfg=cfg)
    assert changed.encoder.key != plain.encoder.key and changed.embed(images)[1] == 6


def test_captions_do_not_decide_an_embedding(saved, images, tmp_path):
    Counted(saved, tmp_path / 'cache').embed(images)
    cfg = Config.fromfile(saved.cfg.filename)
    cfg.test_dataloader.dataset.pipeline[2].tokenizer.context_length = 9
    cfg.test_dataloader.batch_size = 1
    assert Counted(saved, tmp_path / 'cache', cfg=cfg).embed(images)[1] == 0


@pytest.mark.parametrize('damage', ['cut', 'empty', 'a bit', 'the mark', 'other content'])
def test_a_damaged_file_is_made_again(saved, images, tmp_path, damage):
    cache = tmp_path / 'cache'
    first, _ = Counted(saved, cache).embed(images)
    (path,) = files_of(cache)
    content = bytearray(path.read_bytes())
    if damage in ('a bit', 'the mark'):
        content[-300 if damage == 'a bit' else 0] ^= 1
    others = {'cut': content[: len(content) // 2], 'empty': b'', 'other content': b'other content' * 99}
    path.write_bytes(others.get(damage, content))
    second, count = Counted(saved, cache).embed(images)
    assert count == 6 and not path.exists() and len(files_of(cache)) == 1
    np.testing.assert_array_equal(first, second)
    assert Counted(saved, cache).embed(images)[1] == 0


def test_files_wait_for_threads_in_parts(saved, images, tmp_path, monkeypatch):
    """A list of a million images does not become as many futures."""
    want, parts = Counted(saved, None).index(images), []

    class Pool(ThreadPoolExecutor):
        def map(self, function, items):
            parts.append(len(items))
            return super().map(function, items)

    monkeypatch.setattr(index, 'ThreadPoolExecutor', Pool)
    monkeypatch.setattr(index, 'HASHED_AT_ONCE', 4)
    got = Counted(saved, None).index(images, batch_size=3)
    assert parts == [4, 2, 3, 3] and got.images == want.images
    np.testing.assert_allclose(got.embedding, want.embedding, rtol=0, atol=1e-6)


def test_an_interrupted_run_goes_on_where_it_stopped(saved, images, tmp_path):
    inferencer = Counted(saved, tmp_path / 'cache')
    encode = inferencer.encoder.images

    def dies_at_the_second_step(batch):
        if inferencer.embedded:
            raise KeyboardInterrupt
        return encode(batch)

    inferencer.encoder.images = dies_at_the_second_step
    with pytest.raises(KeyboardInterrupt):
        inferencer.embed(images)
    assert Counted(saved, tmp_path / 'cache').embed(images)[1] == 2


def test_a_cache_that_cannot_be_written_is_a_warning(saved, images, tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(cache_module, 'print_log', lambda text, **options: said.append(text))
    (tmp_path / 'file').touch()
    vectors, count = Counted(saved, tmp_path / 'file' / 'below').embed(images)
    assert count == 6 and len(vectors) == 6
    assert len(said) == 1 and said[0].startswith('6 embeddings could not be kept in') and 'goes on without' in said[0]


def test_an_image_that_changes_while_it_is_read(saved, images, tmp_path, monkeypatch):
    """It is never kept under the digest of its old content."""
    original = ImagePipeline.__call__

    def overwritten(self, image):
        item = original(self, image)
        if str(image).endswith('3.tif'):
            Image.new('RGB', (9, 9)).save(image)
        return item

    monkeypatch.setattr(ImagePipeline, '__call__', overwritten)
    with pytest.raises(DataError, match=r'image .*3\.tif changed while it was read; search again'):
        Counted(saved, tmp_path / 'cache').embed(images)


def test_pairs_are_kept_with_their_regions(tmp_path_factory, tmp_path):
    saved = save('configs/comparison/scan_i2t_ucm.py', tmp_path_factory.mktemp('pairs'))
    first = Counted(saved, tmp_path / 'cache')
    want = first.text_to_image(saved.texts[:3], saved.paths)
    again = Counted(saved, tmp_path / 'cache')
    assert again.text_to_image(saved.texts[:3], saved.paths) == want
    assert (first.embedded, again.embedded) == (6, 0)


# ---- the files alone


def vectors_of(numbers, width=4):
    """Digest and vector of each number."""
    return {
        number.to_bytes(32, 'big'): Vector(np.random.default_rng(number).normal(size=width).astype(np.float32))
        for number in numbers
    }


def assert_equal(got, want):
    assert got.keys() == want.keys()
    for digest, vector in want.items():
        np.testing.assert_array_equal(got[digest].embedding, vector.embedding)


def test_files_by_hand(tmp_path):
    cache = EmbeddingCache(tmp_path, key='k')
    assert cache.read([b'0' * 32]) == {} and not (tmp_path / 'k').exists()
    cache.write({})
    some, others = vectors_of([1, 2]), vectors_of([3])
    cache.write(some)
    EmbeddingCache(tmp_path, key='k').write(others)
    everything = {**some, **others}
    assert_equal(cache.read(everything), everything)
    assert_equal(cache.read(list(others)), others)
    assert EmbeddingCache(tmp_path, key='other').read(everything) == {}
    assert [p.suffix for p in (tmp_path / 'k').iterdir()] == [SUFFIX] * 2, 'nothing else is left behind'


def write_and_read(folder, number, errors):
    """One of several processes: adds its vectors and reads those of all, over and over."""
    try:
        cache = EmbeddingCache(folder, key='k')
        everything = vectors_of(range(40))
        for step in range(10):
            own = vectors_of([10 * number + step])
            cache.write(own)
            found = cache.read(everything)
            assert_equal({digest: found[digest] for digest in own}, own)
            assert_equal(found, {digest: everything[digest] for digest in found})
    except Exception as error:  # told to the test
        errors.put(repr(error))
        raise


def test_several_processes_at_once(tmp_path):
    context = multiprocessing.get_context('fork')
    errors = context.SimpleQueue()
    workers = [context.Process(target=write_and_read, args=(tmp_path, n, errors)) for n in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert errors.empty() and [worker.exitcode for worker in workers] == [0] * 4
    everything = vectors_of(range(40))
    assert_equal(EmbeddingCache(tmp_path, key='k').read(everything), everything)


def test_default_place(monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', '/somewhere')
    assert default_cache_dir() == Path('/somewhere/osdpm_plugin/embeddings')
    monkeypatch.setenv('XDG_CACHE_HOME', 'not/absolute')
    monkeypatch.setenv('HOME', '/home/me')
    assert default_cache_dir() == Path('/home/me/.cache/osdpm_plugin/embeddings')
