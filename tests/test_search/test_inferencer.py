"""`RetrievalInferencer`: what it takes and gives, mmengine's entry, and its sentences."""

from __future__ import annotations

import copy
import json
import shutil

import numpy as np
import pytest
import torch
from mmengine.infer import BaseInferencer
from mmengine.registry import INFERENCERS, DefaultScope
from PIL import Image

from osdpm_plugin.errors import CheckpointError, ConfigError, DataError, MetricError
from osdpm_plugin.registry import MODELS
from osdpm_plugin.search import Match, RetrievalInferencer
from tests.helpers.saved_models import save

pytestmark = pytest.mark.stack
TEXT = 'white boats near a river'


@pytest.fixture(scope='module')
def saved(tmp_path_factory):
    return save('configs/comparison/vsepp_ucm.py', tmp_path_factory.mktemp('inferencer'))


def quiet(saved, cfg=None, checkpoint=None, **options):
    """An inferencer on the CPU."""
    cfg, checkpoint = cfg or str(saved.cfg.filename), checkpoint or saved.checkpoint
    return RetrievalInferencer(cfg, checkpoint, **{'device': 'cpu', 'show_progress': False, **options})


@pytest.fixture(scope='module')
def inferencer(saved):
    return quiet(saved)


# ---- what it takes


def test_paths_arrays_and_pil_give_equal_embeddings(saved, inferencer):
    pil = [Image.open(path) for path in saved.paths]
    red_first = [np.asarray(image) for image in pil]
    blue_first = [image[..., ::-1] for image in red_first]
    want = inferencer.index(saved.paths).embedding
    for images in (pil, blue_first, np.stack(blue_first), tuple(saved.paths)):
        np.testing.assert_array_equal(inferencer.index(images).embedding, want)
    rgb = quiet(saved, saved.cfg, array_order='rgb')
    np.testing.assert_array_equal(rgb.index(red_first).embedding, want)
    assert not np.array_equal(rgb.index(blue_first).embedding, want)


def test_galleries(saved, inferencer, tmp_path):
    for i, path in enumerate(saved.paths):
        shutil.copy(path, tmp_path / f'{i}.tif')
    in_folder = inferencer.text_to_image(TEXT, tmp_path, topk=6)
    listed = inferencer.text_to_image(TEXT, saved.paths, topk=6)
    indexed = inferencer.text_to_image(TEXT, inferencer.index(saved.paths), topk=6)
    assert listed == indexed and [m[:3] for m in in_folder] == [m[:3] for m in listed]
    assert in_folder[0].answer == str(tmp_path / f'{listed[0].item}.tif')
    (one,) = inferencer.text_to_image(TEXT, saved.paths[2])
    assert isinstance(one, Match) and (one.rank, one.item) == (1, 0)
    assert one.score == pytest.approx(next(m.score for m in listed if m.item == 2), abs=1e-6)


def test_one_query_or_several(saved, inferencer, tmp_path):
    one = inferencer.text_to_image(TEXT, saved.paths, topk=2)
    several = inferencer.text_to_image([TEXT, 'cars', TEXT], saved.paths, topk=2)
    assert len(one) == 2 and len(several) == 3 and several[0] == several[2] == one
    with Image.open(saved.paths[1]) as image:
        want = inferencer.image_to_text(image, saved.texts)
        assert len(want) == 5 and inferencer.image_to_text([image, image], saved.texts) == [want, want]
    assert inferencer.image_to_text(saved.paths[1], saved.texts) == want
    shutil.copy(saved.paths[1], tmp_path / 'a.tif')
    assert inferencer.image_to_text(tmp_path, saved.texts) == [want], 'a folder is several, even with one image in it'
    assert [m.item for m in inferencer.image_to_image(saved.paths[3], saved.paths, topk=1)] == [3]


def test_more_than_there_are(saved, inferencer):
    assert len(inferencer.text_to_image(TEXT, saved.paths, topk=99)) == 6
    assert len(inferencer.image_to_text(saved.paths[0], ['a', 'b'], topk=99)) == 2


def test_equal_content_ties_in_the_order_given(saved, inferencer):
    """Whatever the batches."""
    images = [saved.paths[4], saved.paths[0], saved.paths[4], saved.paths[1], saved.paths[4]]
    for batch_size in (1, 2, 8):
        found = inferencer.text_to_image(TEXT, images, topk=5, batch_size=batch_size)
        same = [m for m in found if m.item in (0, 2, 4)]
        assert [m.item for m in same] == [0, 2, 4] and len({m.score for m in same}) == 1
        texts = inferencer.image_to_text(saved.paths[0], ['Cars', 'boats', 'cars .', 'cars'], batch_size=batch_size)
        same = [m for m in texts if m.item != 1]
        assert [m.item for m in same] == [0, 2, 3] and len({m.score for m in same}) == 1


def test_unreadable_images(saved, tmp_path):
    broken, empty = tmp_path / 'broken.tif', tmp_path / 'empty.png'
    broken.write_bytes(b'II*\0 no image')
    empty.touch()
    images = [broken, saved.paths[0], empty, saved.paths[1], tmp_path / 'gone.jpg']
    lenient = quiet(saved, unreadable='skip')
    gallery = lenient.index(images, batch_size=2)
    assert gallery.items.tolist() == [1, 3] and [one.item for one in gallery.skipped] == [0, 2, 4]
    assert all(str(images[one.item]) in one.reason for one in gallery.skipped)
    assert {m.item for m in lenient.text_to_image(TEXT, gallery)} == {1, 3}
    assert {m.item for m in lenient.text_to_image(TEXT, images)} == {1, 3}
    with pytest.raises(DataError, match=r'image .*gone\.jpg cannot be read \(No such file or directory\)'):
        lenient.index(images[4:], unreadable='raise')
    with pytest.raises(DataError, match=r'none of 2 images can be read, first: image .*broken\.tif'):
        lenient.index([broken, empty])
    with pytest.raises(DataError, match='broken.tif'):  # a query is always wanted
        lenient.image_to_image(broken, saved.paths)
    with pytest.raises(DataError, match=r'image .*(broken|empty|gone)'):
        quiet(saved).text_to_image(TEXT, images)


def test_progress(saved, capsys):
    inferencer = RetrievalInferencer(saved.cfg, saved.checkpoint, device='cpu')
    inferencer.index(saved.paths, batch_size=4)
    assert '6/6' in capsys.readouterr().err
    inferencer.index(saved.paths, batch_size=6)
    assert capsys.readouterr().err == '', 'one batch needs no bar'


# ---- mmengine's inferencer


def test_the_entry_of_mmengine(saved, inferencer, tmp_path):
    assert isinstance(inferencer, BaseInferencer)
    result = inferencer([TEXT, 'cars'], candidates=saved.paths, topk=3, out_file=str(tmp_path / 'new' / 'a.png'))
    want = inferencer.text_to_image([TEXT, 'cars'], saved.paths, topk=3)
    assert result['predictions'] == [[m._asdict() for m in matches] for matches in want]
    json.dumps(result['predictions'])
    assert Image.open(tmp_path / 'new' / 'a.png').size[0] == 1600
    texts = [text.get_text() for text in result['visualization'].texts]
    assert {TEXT, 'cars', f'{want[0][0].score:.3f}', 'scene_18.tif'} <= set(texts)
    with Image.open(saved.paths[0]) as image:
        result = inferencer(image, task='image_to_text', candidates=saved.texts, topk=2)
        assert result['predictions'] == [[m._asdict() for m in inferencer.image_to_text(image, saved.texts, topk=2)]]
        assert result['visualization'] is None
        result = inferencer(image, True, task='image_to_image', candidates=[saved.paths[1], image], topk=2)
    (sample,) = result['predictions']
    assert sample.indices.tolist() == [1, 0] and sample.scores[0].item() == pytest.approx(1) and len(sample) == 2
    result = inferencer([np.asarray(image)], task='image_to_image', candidates=[image])
    assert result['predictions'][0][0]['answer'] is None


def test_the_steps_of_mmengine(saved, inferencer):
    """preprocess and forward, as mmengine's own entry calls them."""
    batches = list(inferencer.preprocess(saved.paths, batch_size=4))
    assert [len(batch['inputs']) for batch in batches] == [4, 2]
    vectors = [vector for batch in batches for vector in inferencer.forward(batch)]
    want = inferencer.index(saved.paths, batch_size=4).embedding
    np.testing.assert_array_equal(np.stack([v.embedding for v in vectors]), want)
    (text,) = inferencer.forward(dict(tokens=inferencer.encoder.tokenizer([TEXT])))
    np.testing.assert_array_equal(text.embedding, inferencer.encoder.texts(TEXT, batch_size=1)[0].embedding)


def test_it_is_in_the_registry_and_leaves_the_scope_alone(saved):
    config = dict(model=str(saved.cfg.filename), weights=str(saved.checkpoint), device='cpu', show_progress=False)
    before = dict(DefaultScope._instance_dict)
    with DefaultScope.overwrite_default_scope('mmpretrain'):  # as for a user of mmpretrain
        built = INFERENCERS.build(dict(config, type='RetrievalInferencer'))
    assert DefaultScope._instance_dict.keys() == before.keys()
    assert built.scope == 'mmengine' and len(built.text_to_image(TEXT, saved.paths)) == 5
    assert not built.model.training


def test_list_models():
    assert 'osdpm_ucm' in RetrievalInferencer.list_models() == RetrievalInferencer.list_models('*')
    assert RetrievalInferencer.list_models('osdpm_sc') == ['osdpm_scenes']


# ---- sentences


@pytest.mark.parametrize(
    ('ask', 'kind', 'words'),
    [
        (lambda i, p: i.text_to_image('', p), ConfigError, '1 of 1 texts are blank'),
        (lambda i, p: i.text_to_image(['a', '  '], p), ConfigError, '1 of 2 texts are blank, first number 2'),
        (lambda i, p: i.text_to_image('!?', p), ConfigError, r"the text '!\?' has no word; write a few"),
        (lambda i, p: i.text_to_image('a', []), DataError, 'there are no images to search'),
        (lambda i, p: i.text_to_image('a', 'nowhere/'), DataError, 'image nowhere cannot be read'),
        (lambda i, p: i.text_to_image('a', p, topk=0), ConfigError, 'topk must be a whole number of at least 1, got 0'),
        (lambda i, p: i.image_to_text(p, 'a', topk=2.0), ConfigError, 'topk must be .*, got 2.0'),
        (lambda i, p: i.image_to_image(p, p, topk=True), ConfigError, 'topk must be .*, got True'),
        (lambda i, p: i.text_to_image('a', p, batch_size=0), ConfigError, 'batch_size must be a whole number of at'),
        (lambda i, p: i.image_to_text(p[0], []), ConfigError, 'there are no texts'),
        (lambda i, p: i.image_to_text('gone.png', ['a']), DataError, r'image gone\.png cannot be read \(No such file'),
        (lambda i, p: i.index(p, unreadable='ignore'), ConfigError, "unreadable must be one of 'raise', 'skip'"),
        (lambda i, p: i('a', candidates=p, task='text_to_text'), ConfigError, "must be one of 'text_to_image', 'im"),
        (lambda i, p: i('a', candidates=p, out_file='a.jpg'), ConfigError, r'must name a \.png file'),
    ],
)
def test_questions_that_make_no_sense(saved, inferencer, ask, kind, words):
    with pytest.raises(kind, match=words):
        ask(inferencer, saved.paths)


def test_what_cannot_be_loaded(saved, tmp_path):
    foreign, empty = tmp_path / 'foreign.pth', tmp_path / 'empty.pth'
    torch.save(dict(state_dict=dict(weight=torch.zeros(2))), foreign)
    empty.touch()
    for weights, words in (
        (tmp_path / 'none.pth', r'none\.pth does not exist; check the path'),
        (foreign, 'the checkpoint is of another model than the config: .* keys missing'),
        (empty, r'empty\.pth is damaged'),
        (None, r'\d+ weights of the config come from training alone, first neck\.\S+; name a checkpoint'),
        ('', 'needs a config and a checkpoint'),
    ):
        with pytest.raises(CheckpointError, match=words):
            RetrievalInferencer(saved.cfg, weights, device='cpu')
    with pytest.raises(CheckpointError, match='needs a config and a checkpoint'):
        RetrievalInferencer(None, saved.checkpoint)
    with pytest.raises(ConfigError, match='config no_such is neither a file nor a shipped config'):
        RetrievalInferencer('no_such', saved.checkpoint)
    for option, words in (
        (dict(device='tpu'), r"device='tpu' cannot be used \("),
        (dict(array_order='grb'), "array_order must be one of 'bgr', 'rgb'"),
        (dict(unreadable='ignore'), "unreadable must be one of 'raise', 'skip'"),
    ):
        with pytest.raises(ConfigError, match=words):
            quiet(saved, **option)


def test_what_is_no_retriever(saved, tmp_path):
    cfg = copy.deepcopy(saved.cfg)
    cfg.model = dict(type='mmpretrain.ResNet', depth=18, base_channels=4)
    with pytest.raises(CheckpointError, match='another model'):
        RetrievalInferencer(cfg, saved.checkpoint, device='cpu')
    torch.save(MODELS.build(cfg.model).state_dict(), tmp_path / 'resnet.pth')
    with pytest.raises(ConfigError, match='a model of type ResNet is no retriever of images and texts'):
        RetrievalInferencer(cfg, tmp_path / 'resnet.pth', device='cpu')
    cfg = copy.deepcopy(saved.cfg)
    cfg.model.neck.channels_of_nothing = 3
    with pytest.raises(ConfigError, match='the config does not fit a component: .*channels_of_nothing'):
        RetrievalInferencer(cfg, saved.checkpoint, device='cpu')


def test_images_of_several_sizes(saved, tmp_path):
    cfg = copy.deepcopy(saved.cfg)
    del cfg.test_dataloader.dataset.pipeline[1]
    Image.new('RGB', (32, 40)).save(tmp_path / 'a.png')
    inferencer = quiet(saved, cfg)
    with pytest.raises(ConfigError, match=r'gives images of shapes .*; end it with a Resize to one size'):
        inferencer.index([saved.paths[0], tmp_path / 'a.png'])


def test_weights_that_are_not_finite(saved, tmp_path):
    content = torch.load(saved.checkpoint, weights_only=False)
    for name, value in content['state_dict'].items():
        if name.startswith('neck'):
            value.fill_(float('nan'))
    torch.save(content, tmp_path / 'nan.pth')
    inferencer = quiet(saved, checkpoint=tmp_path / 'nan.pth', cache=tmp_path / 'cache')
    with pytest.raises(MetricError, match='6 of 6 image embeddings are NaN or infinite'):
        inferencer.index(saved.paths)
