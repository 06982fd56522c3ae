"""The configs of configs/zero_shot: that they fit their weights, formats of these, search without a checkpoint."""

from __future__ import annotations

import open_clip
import pytest
import torch
from mmengine.config import Config
from open_clip.model import CLIP
from PIL import Image

from osdpm_plugin.datasets.config_views import test_pipeline as pipeline_of_test
from osdpm_plugin.errors import CheckpointError
from osdpm_plugin.lab.experiments.provenance import weights_sha256
from osdpm_plugin.lab.experiments.schema import read_result
from osdpm_plugin.launch import load_model
from osdpm_plugin.pretrained import clip_pretrained
from osdpm_plugin.registry import MODELS
from osdpm_plugin.search import RetrievalInferencer
from tests.helpers.clip_formats import save_format, tiny_clip
from tests.helpers.paths import ROOT
from tests.helpers.shrunk_configs import ZERO_SHOT, shrink, shrink_zero_shot

REMOTECLIP, GEORSCLIP = 'configs/zero_shot/remoteclip_vitb32.py', 'configs/zero_shot/georsclip_vith14.py'
# publisher -> size -> what open_clip calls the architecture, with the activation that its weights want; weights
WANTED = {
    'clip': {
        'rn50': ('RN50-quickgelu', 'openai'),
        'vitb32': ('ViT-B-32-quickgelu', 'openai'),
        'vitl14': ('ViT-L-14-quickgelu', 'openai'),
    },
    'laion': dict(vitb32=('ViT-B-32', 'laion2b_s34b_b79k'), vitl14=('ViT-L-14', 'laion2b_s32b_b82k')),
    'remoteclip': {
        'rn50': ('RN50-quickgelu', 'weights/RemoteCLIP-RN50.pt'),
        'vitb32': ('ViT-B-32-quickgelu', 'weights/RemoteCLIP-ViT-B-32.pt'),
        'vitl14': ('ViT-L-14-quickgelu', 'weights/RemoteCLIP-ViT-L-14.pt'),
    },
    'georsclip': {
        'vitb32': ('ViT-B-32-quickgelu', 'weights/RS5M_ViT-B-32.pt'),
        'vitl14': ('ViT-L-14-quickgelu', 'weights/RS5M_ViT-L-14.pt'),
        'vith14': ('ViT-H-14', 'weights/RS5M_ViT-H-14.pt'),
    },
}


def test_every_model_of_the_list_has_a_config():
    want = {f'configs/zero_shot/{who}_{size}.py' for who, sizes in WANTED.items() for size in sizes}
    assert set(ZERO_SHOT) == want


@pytest.mark.parametrize('config', ZERO_SHOT)
def test_numbers_fit_the_architecture_and_its_weights(config):
    """At full size, on the meta device: weights, pixels as open_clip prepares them, and nothing outside the towers."""
    cfg = Config.fromfile(ROOT / config)
    name, weights = WANTED[config.split('/')[-1].split('_')[0]][config.split('_')[-1].removesuffix('.py')]
    with torch.device('meta'):
        model = MODELS.build(cfg.model)
    for tower in (model.image_tower, model.text_tower):
        assert (tower.architecture.name, tower.pretrained, tower.frozen) == (name, weights, True)
    assert cfg.model.neck.embed_dims == cfg.model.text_neck.embed_dims == model.image_tower.embed_dim
    assert all(key.startswith(('image_tower.', 'text_tower.')) for key in model.state_dict())
    assert not any(p.requires_grad for p in model.parameters())

    steps = {step['type']: step for step in pipeline_of_test(cfg)}
    resize = steps['mmpretrain.ResizeEdge']
    assert (resize['edge'], resize['interpolation'], resize['backend']) == ('short', 'bicubic', 'pillow')
    assert (resize['scale'],) * 2 == (steps['CenterCrop']['crop_size'],) * 2 == model.image_tower.image_size
    text_cfg = open_clip.get_model_config(name)['text_cfg']
    tokens = open_clip.get_model_config(steps['TokenizeCaptions']['tokenizer']['model'])['text_cfg']
    assert all(tokens[key] == text_cfg[key] for key in ('context_length', 'vocab_size'))
    published = open_clip.get_pretrained_cfg(name, weights if '/' not in weights else 'openai') or dict(
        mean=open_clip.OPENAI_DATASET_MEAN, std=open_clip.OPENAI_DATASET_STD, resize_mode='shortest'
    )
    assert published['resize_mode'] == 'shortest' and cfg.model.data_preprocessor.get('channel_order', 'rgb') == 'rgb'
    for key in ('mean', 'std'):
        assert cfg.model.data_preprocessor[key] == pytest.approx([255 * value for value in published[key]], rel=1e-12)
    assert 'prompts' in cfg and cfg.prompts is None


# ---- files


@pytest.mark.parametrize(
    ('config', 'kind'),
    [
        (REMOTECLIP, 'plain'),
        (REMOTECLIP, 'legacy'),
        (REMOTECLIP, 'half'),
        (GEORSCLIP, 'with_mask'),
        (GEORSCLIP, 'training'),
        ('configs/zero_shot/laion_vitl14.py', 'safetensors'),
        ('configs/zero_shot/clip_vitb32.py', 'openai_state_dict'),
    ],
)
def test_files_as_they_are_published(tmp_path, config, kind):
    """State dicts, of float16 too, with the mask that old versions of open_clip saved; and the other usual formats."""
    cfg, clip = shrink_zero_shot(config, tmp_path, kind if kind not in ('half', 'with_mask') else 'plain')
    path = cfg.model.image_tower.pretrained
    want = tiny_clip(clip).state_dict()
    if kind == 'half':
        want = {key: value.half() for key, value in want.items()}
    if kind in ('half', 'with_mask'):
        torch.save(dict(want, **({'attn_mask': torch.zeros(16, 16)} if kind == 'with_mask' else {})), path)
    if kind == 'openai_state_dict':
        want = {key: value for key, value in torch.load(path).items() if key in want}
    oracle = CLIP(**clip).eval()
    oracle.load_state_dict(want)
    model = load_model(cfg, None)
    images = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    tokens = open_clip.SimpleTokenizer(context_length=16)(['a river', 'two planes beside a terminal'])
    with torch.no_grad():
        for mine, theirs in (
            (model.embed_images(images).embedding, oracle.encode_image(images, normalize=True)),
            (model.embed_texts(tokens).pooled, oracle.encode_text(tokens, normalize=True)),
        ):
            torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-5)
            assert (mine[0] - mine[1]).abs().max() > 1e-3


@pytest.mark.parametrize('config', [REMOTECLIP, 'configs/zero_shot/remoteclip_rn50.py'])
def test_weights_of_another_architecture(tmp_path, config):
    cfg, clip = shrink_zero_shot(config, tmp_path)
    save_format('plain', dict(clip, embed_dim=24), tmp_path / f'{config[22:-3]}.pt')
    cfg.model.image_tower.pretrained = cfg.model.text_tower.pretrained = str(tmp_path / f'{config[22:-3]}.pt')
    with pytest.raises(CheckpointError, match='does not fit the image half of the open_clip model .* embed_dim 24'):
        load_model(cfg, None)


def test_weights_of_the_other_activation(tmp_path):
    cfg, clip = shrink_zero_shot(GEORSCLIP, tmp_path)
    save_format('openai_state_dict', clip, tmp_path / 'openai.pt')
    cfg.model.image_tower.pretrained = cfg.model.text_tower.pretrained = str(tmp_path / 'openai.pt')
    with pytest.raises(CheckpointError, match='were trained with QuickGELU but the architecture'):
        load_model(cfg, None)


# ---- without a checkpoint


@pytest.mark.parametrize(
    ('config', 'sentence'),
    [
        (
            'configs/osdpm_rsicd.py',
            r'\d+ weights of the config come from training alone, first neck\.\S+; name a check',
        ),
        ('configs/ablations/rsicd_plain.py', r'first neck\.\S+'),
        ('configs/comparison/vsepp_ucm.py', r'first neck\.\S+'),
        ('configs/mixing/dapn_resnet_classifier.py', r'first \S+; name a checkpoint that was trained with it'),
    ],
)
def test_what_needs_training_needs_a_checkpoint(tmp_path, config, sentence):
    """Pretrained towers or not."""
    cfg = shrink(config, tmp_path)
    if 'OpenCLIP' in cfg.model.get('image_tower', {}).get('type', ''):
        path = save_format('plain', cfg.model.image_tower.model, tmp_path / 'clip.pt')
        cfg.model.image_tower.pretrained = cfg.model.text_tower.pretrained = path
    with pytest.raises(CheckpointError, match=sentence):
        load_model(cfg, None)


@pytest.mark.parametrize('half', ['image', 'text'])
def test_a_tower_of_random_weights_needs_a_checkpoint(tmp_path, half):
    cfg, _ = shrink_zero_shot(REMOTECLIP, tmp_path)
    cfg.model[f'{half}_tower'].pretrained = None
    with pytest.raises(CheckpointError, match=rf'first {half}_tower\.\S+; name a checkpoint'):
        RetrievalInferencer(cfg, device='cpu')


@pytest.mark.parametrize('part', ['neck', 'text_neck', 'head'])
def test_anything_beside_the_towers_needs_a_checkpoint(tmp_path, part):
    cfg, _ = shrink_zero_shot(REMOTECLIP, tmp_path)
    if part == 'head':
        cfg.model.head = dict(type='ContrastiveHead')
    else:
        cfg.model[part].adapter = True
    with pytest.raises(CheckpointError, match=rf'first {part}\.\S+; name a checkpoint'):
        load_model(cfg, None)


@pytest.mark.parametrize(
    ('config', 'file', 'place'),
    [
        ('remoteclip_rn50', 'weights/RemoteCLIP-RN50.pt', 'huggingface.co/chendelong/RemoteCLIP there'),
        ('georsclip_vitb32', 'weights/RS5M_ViT-B-32.pt', 'huggingface.co/Zilun/GeoRSCLIP, folder ckpt there'),
    ],
)
def test_missing_weights(tmp_path, monkeypatch, command, config, file, place):
    """The shipped config itself, at full size."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'photos').mkdir()
    Image.new('RGB', (64, 64)).save(tmp_path / 'photos' / 'a.png')
    code, out, err = command('retrieve', 'a river', '--images', 'photos', '--config', f'zero_shot/{config}')
    assert (
        code == 2 and out == '' and err.splitlines()[-1].startswith(f'error: pretrained={file!r} is not a file; put ')
    )
    assert place in err.splitlines()[-1]


def test_missing_weights_of_a_tag(tmp_path, monkeypatch):
    def offline(*arguments, **options):
        raise OSError('offline')

    monkeypatch.setattr(clip_pretrained, 'download_pretrained', offline)
    cfg = Config.fromfile(ROOT / 'configs/zero_shot/clip_rn50.py')
    with pytest.raises(CheckpointError, match="tag 'openai' of 'RN50-quickgelu' is not in the cache and could not be"):
        RetrievalInferencer(cfg, device='cpu')


@pytest.mark.stack
def test_the_search_tool(tmp_path, monkeypatch, command):
    """Words and an image, with the cache and with prompts, which leave the cache as it is."""
    cfg, _ = shrink_zero_shot(REMOTECLIP, tmp_path)
    monkeypatch.chdir(tmp_path)
    photos = tmp_path / 'data' / 'RSICD_images'
    options = ('--images', photos, '--config', cfg.filename, '--cache', 'cache', '--device', 'cpu', '--topk', 3)
    code, out, err = command('retrieve', 'a river', *options)
    assert code == 0, err
    inferencer = RetrievalInferencer(cfg, device='cpu', show_progress=False)
    want = inferencer.text_to_image('a river', str(photos), topk=3)
    assert out.splitlines()[:-1] == ['a river', *(f'{m.rank:4d}  {m.score:7.4f}  {m.answer}' for m in want)]
    image = photos / 'scene_3.jpg'
    code, out, _ = command('retrieve', '--image', image, *options)
    assert code == 0 and out.splitlines()[1].split() == ['1', '1.0000', str(image)]

    embedded = sorted((tmp_path / 'cache').rglob('*.vectors'))
    prompts = '--cfg-options', 'prompts=an aerial image of {}.'
    code, out, err = command('retrieve', 'a river', *options, *prompts)
    assert code == 0, err
    want = inferencer.text_to_image('an aerial image of a river.', str(photos), topk=3)
    assert out.splitlines()[:-1] == ['a river', *(f'{m.rank:4d}  {m.score:7.4f}  {m.answer}' for m in want)]
    assert sorted((tmp_path / 'cache').rglob('*.vectors')) == embedded and len(embedded) == 1


def test_an_evaluation_and_a_training(tmp_path, command):
    """The first says what it is of, and needs a data set; there is nothing to train."""
    cfg, _ = shrink_zero_shot(REMOTECLIP, tmp_path)
    code, out, err = command('test', cfg.filename)
    assert code == 0 and 'checkpoint: given weights (pretrained weights)' in out, err
    weights = dict(read_result(str(tmp_path / 'work_dir' / 'test_results.json')).checkpoint.__dict__)
    sha256 = weights_sha256(load_model(cfg, None).state_dict())
    assert weights == dict(file='pretrained weights', sha256=sha256, of='weights', epoch=None)

    code, _, err = command('test', cfg.filename, '--work-dir', tmp_path, 'gone.pth', '--out', tmp_path / 'a.npz')
    assert code == 2 and err.splitlines()[-1] == 'error: checkpoint gone.pth does not exist; check the path'
    code, _, err = command('test', cfg.filename, '--cfg-options', 'model.neck.adapter=True')
    assert code == 2 and 'weights of the config come from training alone, first neck.' in err.splitlines()[-1]
    del cfg.test_dataloader.dataset['type']
    cfg.dump(tmp_path / 'none.py')
    code, _, err = command('test', tmp_path / 'none.py')
    assert code == 2 and err.splitlines()[-1].startswith('error: the config names no type for a component')
    code, _, err = command('train', cfg.filename)
    assert code == 2 and err.splitlines()[-1].endswith(
        'has no train_cfg, so that it says nothing of a training; name another one'
    )
