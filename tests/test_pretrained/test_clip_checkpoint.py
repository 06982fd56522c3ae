import copy
import json
import os
import warnings
from unittest import mock

import open_clip
import pytest
import torch
from open_clip.model import build_model_from_openai_state_dict, resize_pos_embed
from open_clip.pretrained import _PRETRAINED

from osdpm_plugin.errors import CheckpointError
from osdpm_plugin.models.backbones import OpenCLIPImageTower, OpenCLIPTextTower
from osdpm_plugin.pretrained import clip_pretrained
from osdpm_plugin.pretrained.clip_architecture import matching_models, resolve_architecture, sibling_with
from osdpm_plugin.pretrained.clip_checkpoint import read_clip_weights
from tests.helpers.clip_formats import (
    CONTEXT,
    FORMATS,
    RESNET,
    VIT,
    images,
    openai_model,
    save_format,
    tiny_clip,
    tokens,
    with_quick_gelu,
)

MODELS = [VIT, RESNET]
IDS = ['vit', 'resnet']
PIXELS_OF_HALF = json.dumps(dict(preprocess_cfg=dict(mean=[0.5] * 3, std=[0.25] * 3)))


def image_tower(config=VIT, **kwargs):
    return ready(OpenCLIPImageTower(model=config, **kwargs))


def text_tower(config=VIT, **kwargs):
    return ready(OpenCLIPTextTower(model=config, **kwargs))


def ready(tower):
    """As at the start of a training, in eval mode."""
    tower.init_weights()
    return tower.eval()


def assert_equal_to(model, config, path, **kwargs):
    """Both towers, filled from ``path``, give what ``model`` gives."""
    with torch.no_grad():
        pooled = image_tower(config, pretrained=path, **kwargs)(images(config)).pooled
        torch.testing.assert_close(pooled, model.encode_image(images(config)), rtol=0, atol=1e-6)
        pooled = text_tower(config, pretrained=path, **kwargs)(tokens()).pooled
        torch.testing.assert_close(pooled, model.encode_text(tokens()), rtol=0, atol=1e-5)


@pytest.mark.parametrize('config', MODELS, ids=IDS)
@pytest.mark.parametrize('kind', FORMATS)
def test_formats(tmp_path, kind, config):
    path = save_format(kind, config, tmp_path / 'weights.pt')
    with warnings.catch_warnings():
        warnings.simplefilter('error', UserWarning)
        assert_equal_to(tiny_clip(config), config, path)


@pytest.mark.parametrize('config', MODELS, ids=IDS)
@pytest.mark.parametrize('kind', ['jit', 'openai_state_dict'])
def test_openai_formats(tmp_path, kind, config):
    path = save_format(kind, config, tmp_path / 'openai.pt')
    model = build_model_from_openai_state_dict(openai_model(config).state_dict()).float()
    assert_equal_to(model, with_quick_gelu(config), path)
    assert_equal_to(model, config, path, quick_gelu=True)
    tower = image_tower(with_quick_gelu(config), pretrained=path)
    assert all(p.dtype == torch.float32 for p in tower.parameters())


@pytest.mark.parametrize('prefix', ['', 'visual.', 'image_tower.visual.', 'module.image_tower._orig_mod.visual.'])
def test_image_half_alone(tmp_path, prefix):
    model, path = tiny_clip(VIT), str(tmp_path / 'half.pt')
    torch.save({prefix + k: v for k, v in model.visual.state_dict().items()}, path)
    with torch.no_grad():
        assert torch.equal(image_tower(pretrained=path)(images(VIT)).pooled, model.encode_image(images(VIT)))
    with pytest.raises(CheckpointError, match='holds no text half'):
        text_tower(pretrained=path)


@pytest.mark.stack
@pytest.mark.parametrize('name', ['model', 'model_state_dict', 'state_dict_ema', 'state_dict', None])
@pytest.mark.parametrize('prefix', ['', 'model.', 'clip_model.', 'backbone.', 'module.model.', 'model.module.clip.'])
def test_weights_inside_others(tmp_path, name, prefix):
    """As PIR, HarMA and trainings of their kind save them: under another name, in a model with parts of its own."""
    model, path = tiny_clip(VIT), str(tmp_path / 'wrapped.pt')
    state = {prefix + key: value for key, value in model.state_dict().items()}
    state['adapter.weight'] = torch.zeros(3)
    torch.save(state if name is None else {name: state, 'optimizer': dict(state={}), 'epoch': 9}, path)
    assert_equal_to(model, VIT, path)


@pytest.mark.parametrize('prefix', ['backbone.', 'model.backbone.'])
def test_an_image_half_inside_another_model(tmp_path, prefix):
    model, path = tiny_clip(VIT), str(tmp_path / 'half.pt')
    torch.save({'model': {prefix + key: value for key, value in model.visual.state_dict().items()}}, path)
    with torch.no_grad():
        assert torch.equal(image_tower(pretrained=path)(images(VIT)).pooled, model.encode_image(images(VIT)))


def test_another_backbone_is_no_clip(tmp_path):
    path = str(tmp_path / 'resnet.pt')
    torch.save(
        dict(model={'backbone.conv1.weight': torch.zeros(1), 'backbone.layer1.0.conv1.weight': torch.zeros(1)}), path
    )
    with pytest.raises(CheckpointError, match='holds no CLIP weights .*its keys are backbone.conv1.weight'):
        image_tower(pretrained=path)


def test_text_half_alone(tmp_path):
    model, path = tiny_clip(VIT), str(tmp_path / 'half.pt')
    torch.save({k: v for k, v in model.state_dict().items() if not k.startswith('visual.')}, path)
    with torch.no_grad():
        pooled = text_tower(pretrained=path)(tokens()).pooled
        torch.testing.assert_close(pooled, model.encode_text(tokens()), rtol=0, atol=1e-5)
    with pytest.raises(CheckpointError, match='holds no image half'):
        image_tower(pretrained=path)


def test_a_tower_reads_what_a_tower_saved(tmp_path):
    for tower, other, data in ((image_tower(), image_tower(), images(VIT)), (text_tower(), text_tower(), tokens())):
        path = str(tmp_path / 'tower.pt')
        torch.save(tower.state_dict(), path)
        other = ready(type(other)(model=VIT, pretrained=path))
        assert torch.equal(other(data).pooled, tower(data).pooled)


# activation


@pytest.mark.parametrize('kind', ['jit', 'openai_state_dict'])
def test_openai_file_with_gelu(tmp_path, kind):
    path = save_format(kind, VIT, tmp_path / 'openai.pt')
    for build in (image_tower, text_tower):
        with pytest.raises(CheckpointError, match='trained with QuickGELU but .* built with GELU.*set quick_gelu=True'):
            build(VIT, pretrained=path)
        with pytest.raises(CheckpointError, match='trained with QuickGELU.*remove quick_gelu=False'):
            build(with_quick_gelu(VIT), pretrained=path, quick_gelu=False)


def test_openai_resnet_has_no_activation_to_mismatch(tmp_path):
    path = save_format('openai_state_dict', RESNET, tmp_path / 'openai.pt')
    image_tower(RESNET, pretrained=path)
    with pytest.raises(CheckpointError, match='QuickGELU'):
        text_tower(RESNET, pretrained=path)


@pytest.fixture
def no_download(monkeypatch):
    monkeypatch.setattr(clip_pretrained, 'download_pretrained', mock.Mock(side_effect=OSError('no network')))


@pytest.fixture
def published(monkeypatch):
    """A function that publishes tags of a tiny model -> the model's name."""

    def publish(**tags):
        monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, 'tiny-test-model', copy.deepcopy(VIT))
        monkeypatch.setitem(open_clip.pretrained._PRETRAINED, 'tiny-test-model', tags)
        return 'tiny-test-model'

    return publish


@pytest.mark.parametrize(
    'options, remedy',
    [
        (dict(model='ViT-S-32-alt', pretrained='first'), 'set quick_gelu=True'),
        (dict(model='ViT-B-32', pretrained='openai'), "set model='ViT-B-32-quickgelu'"),
        (dict(model='ViT-B-32-quickgelu', pretrained='laion2b_s34b_b79k'), "set model='ViT-B-32'"),
        (dict(model='ViT-S-32-alt', pretrained='second', quick_gelu=True), 'remove quick_gelu=True'),
    ],
)
@pytest.mark.parametrize('cls', [OpenCLIPImageTower, OpenCLIPTextTower])
def test_tag_with_the_other_activation(no_download, monkeypatch, cls, options, remedy):
    tags = dict(first=dict(quick_gelu=True), second=dict(quick_gelu=False))
    monkeypatch.setitem(open_clip.pretrained._PRETRAINED, 'ViT-S-32-alt', tags)
    with pytest.raises(CheckpointError, match=f'were trained with .*; {remedy} in both towers'):
        cls(**options)


def test_every_tag_of_the_registry_has_an_architecture_that_passes():
    """The activation check lets each published pair through by the name that its own message suggests."""
    for name, tags in _PRETRAINED.items():
        for tag, cfg in tags.items():
            architecture = resolve_architecture(name, half='vision_cfg')
            wants = bool(cfg.get('quick_gelu', False)) or architecture.native_quick_gelu
            if wants != architecture.quick_gelu:
                remedy = sibling_with(name, quick_gelu=wants)
                assert remedy.startswith('model='), (name, tag)
                sibling = remedy[len("model='") : -1]
                assert tag in open_clip.list_pretrained_tags_by_model(sibling), (name, tag)


# tags


def test_tag_that_cannot_be_downloaded(no_download):
    message = r"tag 'openai' of 'ViT-B-32-quickgelu' .*could not be downloaded \(OSError\).*give the path as pretrained"
    with pytest.raises(CheckpointError, match=message):
        text_tower('ViT-B-32-quickgelu', pretrained='openai')


def test_tag_is_loaded_with_its_pixels(tmp_path, published):
    """A registry entry that points to a local file goes the whole way of a tag."""
    file = save_format('plain', VIT, tmp_path / 'tag.pt')
    name = published(first=dict(file=file, mean=(0.5, 0.25, 0.125), std=(1.0, 0.5, 0.25)))
    tower = image_tower(name, pretrained='first')
    with torch.no_grad():
        assert torch.equal(tower(images(VIT)).pooled, tiny_clip(VIT).encode_image(images(VIT)))
    assert tower.pixel_mean == [127.5, 63.75, 31.875]
    assert tower.pixel_std == [255.0, 127.5, 63.75]
    # all tags agree, so a local file of the same architecture gets the same
    assert OpenCLIPImageTower(model=name, pretrained=file).pixel_mean == [127.5, 63.75, 31.875]
    with pytest.raises(CheckpointError, match="'second' is neither a file nor .* its tags are first"):
        OpenCLIPImageTower(model=name, pretrained='second')


def test_pixels_from_a_config_beside_the_file(tmp_path):
    path = save_format('plain', VIT, tmp_path / 'open_clip_pytorch_model.bin')
    config = tmp_path / 'open_clip_config.json'
    config.write_text(PIXELS_OF_HALF)
    tower = image_tower(pretrained=path)
    assert (tower.pixel_mean, tower.pixel_std) == ([127.5] * 3, [63.75] * 3)
    config.write_text('{')
    with pytest.raises(CheckpointError, match='open_clip_config.json'):
        image_tower(pretrained=path)


def test_what_a_tag_decides_without_its_weights(no_download, published):
    first = dict(url='-', mean=(0.5, 0.25, 0.125), std=(1.0, 0.5, 0.25))
    name = published(first=first, second=dict(url='-', quick_gelu=True))
    tower = OpenCLIPImageTower(model=name, pretrained='first')
    assert (tower.pixel_mean, tower.pixel_std) == ([127.5, 63.75, 31.875], [255.0, 127.5, 63.75])
    with pytest.raises(CheckpointError, match="'second' were trained with QuickGELU"):
        OpenCLIPTextTower(model=name, pretrained='second')
    with pytest.raises(CheckpointError, match="'third' is neither a file nor .* its tags are first, second"):
        OpenCLIPTextTower(model=name, pretrained='third')
    with pytest.raises(CheckpointError, match='could not be downloaded'):
        OpenCLIPTextTower(model=name, pretrained='first').init_weights()


def test_pixels_of_a_file_that_is_gone(tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(clip_pretrained, 'print_log', lambda text, **options: said.append(text))
    tower = OpenCLIPImageTower(model=VIT, pretrained=str(tmp_path / 'gone.bin'))
    assert tower.pixel_mean == [255 * v for v in open_clip.OPENAI_DATASET_MEAN]
    assert len(said) == 1 and 'gone.bin' in said[0] and 'open_clip_config.json' in said[0]
    (tmp_path / 'open_clip_config.json').write_text(PIXELS_OF_HALF)
    tower = OpenCLIPImageTower(model=VIT, pretrained=str(tmp_path / 'gone.bin'))
    assert (tower.pixel_mean, tower.pixel_std, len(said)) == ([127.5] * 3, [63.75] * 3, 1)


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(pretrained='nowhere/weights.pt'), "'nowhere/weights.pt' is not a file"),
        (dict(pretrained='weights.pth'), 'is not a file'),
        (dict(pretrained='openai'), 'given as a dict has no tags'),
        (dict(model='ViT-B-32', pretrained='laion9b'), 'neither a file nor .* its tags are openai, .*laion2b_s34b_b'),
    ],
)
def test_neither_tag_nor_file(options, message):
    with pytest.raises(CheckpointError, match=message):
        OpenCLIPTextTower(**{'model': VIT, **options}).init_weights()


# weights of another architecture


def test_other_architecture_names_keys_shapes_and_remedy(tmp_path):
    state = tiny_clip(VIT).state_dict()
    path = str(tmp_path / 'other.pt')
    state = dict(state, **{'visual.conv1.weight': torch.zeros(64, 3, 16, 16), 'visual.extra': torch.zeros(2)})
    del state['visual.proj']
    torch.save(state, path)
    with pytest.raises(CheckpointError) as info:
        image_tower(pretrained=path)
    message = str(info.value)
    assert path in message
    assert '1 shapes differ (first conv1.weight (64, 3, 16, 16) instead of (64, 3, 8, 8))' in message
    assert '1 keys missing (first proj (64, 32))' in message
    assert '1 unknown keys (first extra (2,))' in message
    assert 'width 64' in message


@pytest.mark.parametrize('name', ['RN50', 'ViT-B-32', 'ViT-B-16', 'ViT-L-14', 'ViT-H-14', 'RN50x4', 'ViT-L-14-336'])
def test_shapes_tell_the_architecture(name):
    with torch.device('meta'):
        config = open_clip.get_model_config(name)
        state = open_clip.model.CLIP(**config).state_dict()
    state = {key if key.startswith('visual.') else f'text.{key}': value for key, value in state.items()}
    assert matching_models(state, quick_gelu=False)[0] == name
    if f'{name}-quickgelu' in open_clip.list_models():
        assert matching_models(state, quick_gelu=True) == [f'{name}-quickgelu']


def test_fitting_model_is_named(tmp_path):
    config = open_clip.get_model_config('ViT-S-32-alt')
    path = str(tmp_path / 'small.pt')
    torch.save(open_clip.model.CLIP(**config).half().state_dict(), path)
    for cls in (OpenCLIPImageTower, OpenCLIPTextTower):
        with pytest.raises(CheckpointError, match="set model='ViT-S-32-alt'"):
            cls(model=VIT, pretrained=path).init_weights()


def test_nothing_is_loaded_when_something_does_not_fit(tmp_path):
    state = tiny_clip(VIT).state_dict()
    state['visual.transformer.resblocks.1.mlp.c_fc.bias'][3] = float('nan')
    path = str(tmp_path / 'nan.pt')
    torch.save(state, path)
    with pytest.raises(CheckpointError, match=r'1 of 256 values of transformer.resblocks.1.mlp.c_fc.bias are NaN'):
        image_tower(pretrained=path)
    text_tower(pretrained=path)  # its half is sound


# other input sizes


@pytest.mark.parametrize('size, grid', [(48, (6, 6)), ((48, 64), (6, 8)), (32, (4, 4))])
def test_image_size_resizes_positions_like_open_clip(tmp_path, size, grid):
    path = save_format('plain', VIT, tmp_path / 'clip.pt')
    config = copy.deepcopy(VIT)
    config['vision_cfg']['image_size'] = size
    model, state = tiny_clip(config), tiny_clip(VIT).state_dict()
    resize_pos_embed(state, model)
    model.load_state_dict(state)
    tower = image_tower(VIT, pretrained=path, image_size=size)
    x = torch.randn(2, 3, *tower.image_size)
    with torch.no_grad():
        features = tower(x)
        assert torch.equal(features.pooled, model.encode_image(x))
    assert features.maps[0].shape[-2:] == grid


def test_image_size_of_a_resnet(tmp_path):
    path = save_format('plain', RESNET, tmp_path / 'clip.pt')
    tower = image_tower(RESNET, pretrained=path, image_size=128)
    with torch.no_grad():
        assert tower(torch.randn(1, 3, 128, 128)).maps[0].shape == (1, 256, 4, 4)
    same = image_tower(RESNET, pretrained=path, image_size=64)
    table = tiny_clip(RESNET).visual.attnpool.positional_embedding
    assert torch.equal(same.visual.attnpool.positional_embedding, table)


def test_another_size_or_length_without_the_option_is_an_error(tmp_path):
    path = save_format('plain', VIT, tmp_path / 'clip.pt')
    config = copy.deepcopy(VIT)
    config['vision_cfg']['image_size'] = 48
    with pytest.raises(CheckpointError, match=r'positional_embedding \(17, 64\) instead of \(37, 64\)'):
        image_tower(config, pretrained=path)
    config['text_cfg']['context_length'] = CONTEXT + 1
    with pytest.raises(CheckpointError, match='positional_embedding'):
        text_tower(config, pretrained=path)


# files that are no checkpoints


@pytest.mark.parametrize('kind', ['jit', 'safetensors'])
def test_truncated_file(tmp_path, kind):
    suffix = '.safetensors' if kind == 'safetensors' else '.pt'
    path = save_format(kind, VIT, tmp_path / 'weights.pt')
    for size in (0, 100, os.path.getsize(path) // 2):
        broken = tmp_path / f'broken{suffix}'
        with open(path, 'rb') as file:
            broken.write_bytes(file.read(size))
        with pytest.raises(CheckpointError, match=rf'broken{suffix} is damaged .*\({size} bytes\); fetch'):
            image_tower(pretrained=str(broken))


@pytest.mark.parametrize(
    'content, message',
    [
        ([1, 2], 'holds no weights by name'),
        ({}, 'holds no CLIP weights'),
        ({1: torch.zeros(1)}, 'holds no CLIP weights.* its keys are 1, '),
        ({'backbone.weight': torch.zeros(1)}, 'holds no CLIP weights.*backbone.weight'),
        ({'vision_model.embeddings.class_embedding': torch.zeros(1)}, 'transformers CLIPModel'),
        ({'visual.proj': 3}, 'not tensors'),
    ],
)
def test_other_content(tmp_path, content, message):
    path = str(tmp_path / 'weights.pt')
    torch.save(content, path)
    with pytest.raises(CheckpointError, match=message):
        read_clip_weights(path)
