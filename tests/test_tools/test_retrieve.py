"""tools/retrieve.py: command line -> ranked paths and a picture, or one sentence and exit code 2."""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path

import pytest
from PIL import Image

from osdpm_plugin.search import RetrievalInferencer, picture
from tests.helpers.paths import ROOT
from tests.helpers.saved_models import disturb, save

pytestmark = pytest.mark.stack
TEXT = 'white boats near a river'


@pytest.fixture(scope='module')
def saved(tmp_path_factory):
    return save('configs/comparison/vsepp_ucm.py', tmp_path_factory.mktemp('retrieve'))


@pytest.fixture
def retrieve(saved, tmp_path, monkeypatch, command):
    """A function that runs the tool in this process: exit code, lines of output, lines of errors.

    Six images lie in ``images``, two of them in a folder below.
    """
    for i, path in enumerate(saved.paths):
        target = tmp_path / 'images' / ('below' if i > 3 else '') / f'{i}.tif'
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'xdg'))

    def run(*arguments, **options):
        settings = dict(config=saved.cfg.filename, checkpoint=saved.checkpoint, device='cpu', work_dir=tmp_path / 'run')
        settings.update({'images': tmp_path / 'images', **options})
        pairs = [part for key, value in settings.items() for part in (f'--{key.replace("_", "-")}', value)]
        code, out, err = command('retrieve', *arguments, *pairs)
        return code, out.splitlines(), err.splitlines()

    return run


def rows_of(lines):
    """Rank, score and name of each answer."""
    return [(int(rank), float(score), Path(path).name) for rank, score, path in (line.split() for line in lines)]


def test_words(saved, retrieve, tmp_path):
    code, out, err = retrieve(TEXT, topk=4)
    want = RetrievalInferencer(saved.cfg, saved.checkpoint, device='cpu').text_to_image(TEXT, saved.paths, topk=4)
    assert code == 0 and out[0] == TEXT and out[-1] == f'Gallery: {tmp_path}/run/retrieval.png'
    assert rows_of(out[1:-1]) == [(m.rank, round(m.score, 4), f'{m.item}.tif') for m in want]
    assert all(Path(line.split()[-1]).is_file() for line in out[1:-1])
    assert Image.open(tmp_path / 'run' / 'retrieval.png').size[0] == 1600
    assert not any('left out' in line for line in err)


def test_the_cache_changes_nothing_but_time(saved, retrieve, tmp_path):
    places = dict(default=tmp_path / 'xdg' / 'osdpm_plugin' / 'embeddings', named=tmp_path / 'named')
    first = retrieve(TEXT, 'cars')
    assert len(list(places['default'].rglob('*.vectors'))) == 1
    again = retrieve(TEXT, 'cars')
    assert first[:2] == again[:2] and len(list(places['default'].rglob('*.vectors'))) == 1
    assert retrieve(TEXT, 'cars', '--no-cache')[:2] == first[:2]
    assert retrieve(TEXT, 'cars', cache=places['named'])[:2] == first[:2]
    assert len(list(places['named'].rglob('*.vectors'))) == 1 and len(list(places['default'].iterdir())) == 1
    other = disturb(saved.checkpoint, tmp_path / 'other.pth')
    assert retrieve(TEXT, 'cars', checkpoint=other)[1] == retrieve(TEXT, 'cars', '--no-cache', checkpoint=other)[1]
    assert len(list(places['default'].iterdir())) == 2, 'one folder for each model'


def test_images(retrieve, tmp_path):
    queries = [tmp_path / 'images' / '3.tif', tmp_path / 'images' / 'below' / '5.tif']
    code, out, _ = retrieve('--image', queries[0], '--image', queries[1], topk=1, out=tmp_path / 'new' / 'a.png')
    assert code == 0 and (tmp_path / 'new' / 'a.png').is_file()
    assert out[0] == str(queries[0]) and rows_of(out[1:2]) == [(1, 1.0, '3.tif')]
    assert out[2] == str(queries[1]) and rows_of(out[3:4]) == [(1, 1.0, '5.tif')]


def test_a_query_that_cannot_be_read_ends_it_before_the_gallery_is_embedded(retrieve, tmp_path):
    good, bad = tmp_path / 'images' / '3.tif', tmp_path / 'bad.png'
    bad.write_bytes(b'no image')
    code, out, err = retrieve('--image', good, '--image', bad)
    assert code == 2 and out == [] and err[-1].startswith(f'error: image {bad}')
    assert not list((tmp_path / 'xdg').rglob('*.vectors'))


def test_more_queries_than_a_picture_holds(retrieve, tmp_path, monkeypatch):
    monkeypatch.setattr(picture, 'MAX_HEIGHT', 1000)
    said = []
    monkeypatch.setattr(picture, 'print_log', lambda text, **options: said.append(text))
    code, out, _ = retrieve(*(f'{TEXT} {n}' for n in range(20)), topk=1)
    assert code == 0 and len(out) == 20 * 2 + 1 and len(said) == 1 and 'of 20 queries' in said[0]
    assert 700 < Image.open(tmp_path / 'run' / 'retrieval.png').size[1] <= 1000


def test_output_of_another_encoding(retrieve, monkeypatch):
    written = io.BytesIO()
    monkeypatch.setattr(sys, 'stdout', io.TextIOWrapper(written, encoding='latin-1', write_through=True))
    code, _, err = retrieve(f'{TEXT} 路 é', topk=1)
    assert code == 0, err
    assert written.getvalue().decode('latin-1').splitlines()[0] == f'{TEXT} \\u8def é'


def test_images_that_cannot_be_read(retrieve, tmp_path):
    for name in 'abcde':
        (tmp_path / 'images' / f'{name}.png').write_bytes(name.encode())
    code, out, err = retrieve(TEXT, topk=99)
    assert code == 0 and len(out) == 1 + 6 + 1
    assert err[-1].startswith('5 of 11 images were left out: image ') and err[-1].endswith(' and 2 more')
    assert [f'{name}.png' in err[-1] for name in 'abcde'] == [True] * 3 + [False] * 2
    code, out, err = retrieve(TEXT, unreadable='raise')
    assert code == 2 and out == [] and err[-1].startswith('error: image ') and 'a.png' in err[-1]


def test_a_shipped_config_by_name(retrieve, saved):
    """Its towers are not those of the checkpoint; so much is found out."""
    code, _, err = retrieve(TEXT, config='vsepp_ucm')
    assert code == 2 and 'the checkpoint is of another model than the config' in err[-1]


def test_pairs(tmp_path_factory, retrieve):
    pairs = save('configs/comparison/scan_i2t_ucm.py', tmp_path_factory.mktemp('pairs'))
    options = dict(config=pairs.cfg.filename, checkpoint=pairs.checkpoint)
    code, out, _ = retrieve(TEXT, **options)
    want = RetrievalInferencer(pairs.cfg, pairs.checkpoint, device='cpu').text_to_image(TEXT, pairs.paths)
    assert code == 0 and rows_of(out[1:-1]) == [(m.rank, round(m.score, 4), f'{m.item}.tif') for m in want]
    code, out, err = retrieve('--image', pairs.paths[0], **options)
    assert code == 2 and out == [] and 'scores pairs of image and text, so that it cannot compare' in err[-1]


@pytest.mark.parametrize(
    ('arguments', 'options', 'words'),
    [
        ([' '], {}, '1 of 1 texts are blank'),
        ([TEXT], dict(topk=0), '--topk must be a whole number of at least 1, got 0'),
        ([TEXT], dict(images='nowhere'), '--images nowhere is not a folder; name one with images'),
        ([TEXT], dict(images=ROOT / 'tools'), 'holds no images'),
        ([TEXT], dict(config='nothing'), 'config nothing is neither a file nor a shipped config'),
        ([TEXT], dict(checkpoint='none.pth'), 'checkpoint none.pth does not exist'),
        ([TEXT], dict(out='a.jpg'), 'must name a .png file'),
        ([TEXT], dict(batch_size=0), 'batch_size must be a whole number of at least 1, got 0'),
        ([TEXT], dict(device='tpu'), "device='tpu' cannot be used"),
        (['--image', 'gone.png'], {}, 'image gone.png cannot be read'),
    ],
)
def test_bad_input_is_one_sentence(retrieve, arguments, options, words):
    code, out, err = retrieve(*arguments, **options)
    assert code == 2 and out == [] and err[-1].startswith('error: ') and words in err[-1]


@pytest.mark.parametrize('arguments', [[], [TEXT, '--image', 'a.png']])
def test_words_or_images(retrieve, arguments):
    code, _, err = retrieve(*arguments)
    assert code == 2 and err[-1].endswith('ask in words, or by --image FILE; one of the two')
