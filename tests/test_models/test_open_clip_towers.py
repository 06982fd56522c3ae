import copy
import pickle
import re

import open_clip
import pytest
import torch
from mmengine.config import ConfigDict
from torch import nn

from osdpm_plugin.errors import ConfigError
from osdpm_plugin.models.backbones import OpenCLIPImageTower, OpenCLIPTextTower
from osdpm_plugin.registry import MODELS
from tests.helpers.clip_formats import (
    CONTEXT,
    EOT,
    RESNET,
    VIT,
    images,
    save_format,
    tiny_clip,
    tokens,
    with_quick_gelu,
)


def image_tower(config=VIT, **kwargs):
    torch.manual_seed(0)
    return OpenCLIPImageTower(model=config, **kwargs)


def text_tower(config=VIT, **kwargs):
    torch.manual_seed(0)
    return OpenCLIPTextTower(model=config, **kwargs)


def filled(tower, config):
    """Copy the weights of ``tiny_clip`` into a tower and return both in eval mode."""
    model = tiny_clip(config)
    if isinstance(tower, OpenCLIPImageTower):
        tower.visual.load_state_dict(model.visual.state_dict())
    else:
        tower.text.load_state_dict({key: model.state_dict()[key] for key in tower.text.state_dict()})
    return tower.eval(), model


@pytest.mark.parametrize('config', [VIT, with_quick_gelu(VIT), RESNET], ids=['vit', 'quickgelu', 'resnet'])
def test_pooled_equals_encode_image(config):
    tower, model = filled(image_tower(config), config)
    x = images(config)
    with torch.no_grad():
        features, expected = tower(x), model.encode_image(x)
    assert torch.equal(features.pooled, expected)
    assert features.pooled.shape == (2, tower.embed_dim)
    assert tuple(m.shape[1] for m in features.maps) == tower.feat_channels


@pytest.mark.parametrize('config', [VIT, with_quick_gelu(VIT)], ids=['gelu', 'quickgelu'])
def test_pooled_equals_encode_text(config):
    tower, model = filled(text_tower(config), config)
    with torch.no_grad():
        features, expected = tower(tokens()), model.encode_text(tokens())  # open_clip's reads all of the padding
    torch.testing.assert_close(features.pooled, expected, rtol=0, atol=1e-5)
    longest = int(tokens().argmax(dim=1).max()) + 1
    assert longest < CONTEXT and features.words.shape == (4, longest, tower.width)


def test_quick_gelu_option_changes_the_activation():
    x = images(VIT)
    tower, _ = filled(image_tower(VIT, quick_gelu=True), VIT)
    reference, _ = filled(image_tower(with_quick_gelu(VIT)), VIT)
    plain, _ = filled(image_tower(VIT), VIT)
    with torch.no_grad():
        assert torch.equal(tower(x).pooled, reference(x).pooled)
        assert not torch.allclose(tower(x).pooled, plain(x).pooled)


def test_vit_map_holds_the_tokens_in_their_places():
    tower, _ = filled(image_tower(), VIT)
    x = images(VIT)
    with torch.no_grad():
        [grid] = tower(x).maps
        tokens_out = tower.visual.ln_post(tower.visual.transformer(tower.visual._embeds(x)))  # (B, 1 + 16, C)
    assert grid.shape == (2, 64, 4, 4)
    for row in range(4):
        for column in range(4):
            torch.testing.assert_close(grid[:, :, row, column], tokens_out[:, 1 + 4 * row + column])


def test_resnet_stages():
    tower, _ = filled(image_tower(RESNET, out_stages=(2, 3, 4)), RESNET)
    with torch.no_grad():
        features = tower(images(RESNET))
    assert tower.feat_channels == (64, 128, 256)
    assert [tuple(m.shape) for m in features.maps] == [(2, 64, 8, 8), (2, 128, 4, 4), (2, 256, 2, 2)]
    last, _ = filled(image_tower(RESNET), RESNET)
    with torch.no_grad():
        assert torch.equal(last(images(RESNET)).maps[0], features.maps[-1])


def test_timm_trunk():
    vision = dict(timm_model_name='convnext_atto', timm_pool='', timm_proj='linear', image_size=64)
    tower = image_tower(dict(embed_dim=8, vision_cfg=vision), trainable_blocks=1).eval()
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        features = tower(x)
        assert torch.equal(features.pooled, tower.visual(x))
        assert torch.equal(features.maps[0], tower.visual.trunk.forward_features(x))
    trained = {name.split('.')[2] for name, p in tower.named_parameters() if p.requires_grad}
    assert trained == {'stages', 'head', 'proj'}
    assert not tower.visual.trunk.stages[0].blocks[0].norm.weight.requires_grad


def test_timm_trunk_of_another_size(tmp_path):
    """As timm resizes a trunk that has its weights; what is drawn for it is not taken from the training's numbers."""
    vision = dict(timm_model_name='vit_tiny_patch16_224', timm_pool='', timm_proj='linear', image_size=224)
    config, path = dict(embed_dim=8, vision_cfg=vision), str(tmp_path / 'timm.pt')
    whole = image_tower(config)
    torch.save(whole.state_dict(), path)
    torch.manual_seed(1)
    tower = OpenCLIPImageTower(model=config, pretrained=path, image_size=64).eval()
    before, drawn = list(tower.parameters()), torch.get_rng_state()
    tower.init_weights()
    assert torch.equal(torch.get_rng_state(), drawn)
    assert all(a is b for a, b in zip(before, tower.parameters()))
    whole.visual.set_input_size((64, 64))
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(tower(x).pooled, whole.visual.eval()(x))


@pytest.mark.parametrize(
    'option',
    [
        dict(final_ln_after_pool=True, pool_type='avg'),
        dict(attentional_pool=True, attn_pooler_queries=4, attn_pooler_heads=2),
    ],
)
def test_other_ways_of_pooling(option):
    config = copy.deepcopy(VIT)
    config['vision_cfg'].update(option)
    tower = image_tower(config).eval()
    with torch.no_grad():
        features = tower(images(VIT))
        assert torch.equal(features.pooled, tower.visual(images(VIT)))
    assert features.maps[0].shape == (2, 64, 4, 4)


def test_only_one_half_is_allocated():
    model = tiny_clip(VIT)
    of_image = sum(p.numel() for p in model.visual.parameters())
    of_text = sum(p.numel() for p in model.parameters()) - of_image - model.logit_scale.numel()
    assert sum(p.numel() for p in image_tower().parameters()) == of_image
    assert sum(p.numel() for p in text_tower().parameters()) == of_text


def test_named_architecture_and_pixels():
    tower = image_tower('ViT-S/32-alt')
    assert (tower.embed_dim, tower.feat_channels, tower.image_size) == (256, (384,), (224, 224))
    assert tower.pixel_mean == [255 * v for v in open_clip.OPENAI_DATASET_MEAN]
    assert tower.pixel_std == [255 * v for v in open_clip.OPENAI_DATASET_STD]
    assert tower.channel_order == 'rgb'


def test_registered_and_built_from_a_config():
    tower = MODELS.build(ConfigDict(type='OpenCLIPImageTower', model=VIT, frozen=True))
    assert isinstance(tower, OpenCLIPImageTower)
    assert isinstance(MODELS.build(ConfigDict(type='OpenCLIPTextTower', model=VIT)), OpenCLIPTextTower)


# short texts


def test_short_tokens_give_the_same_result():
    tower, _ = filled(text_tower(), VIT)
    full = tokens()
    longest = int(full.argmax(dim=1).max()) + 1
    with torch.no_grad():
        a, b = tower(full), tower(full[:, :longest])
    assert torch.equal(a.pooled, b.pooled) and torch.equal(a.words, b.words) and torch.equal(a.mask, b.mask)


def test_mask_ends_with_the_end_of_text():
    rows = tokens()
    mask = text_tower().eval()(rows).mask
    for row, kept in zip(rows[:, : mask.shape[1]], mask):
        assert kept.sum() == (row != 0).sum()
        assert row[kept][-1] == EOT


def test_padding_does_not_reach_the_words():
    tower, _ = filled(text_tower(), VIT)
    rows = tokens()
    other = rows.clone()
    other[rows == 0] = 7
    with torch.no_grad():
        a, b = tower(rows), tower(other)
    torch.testing.assert_close(a.words[a.mask], b.words[a.mask])


def siglip_text():
    config = copy.deepcopy(VIT)
    config['text_cfg'].update(no_causal_mask=True, pool_type='last', proj_bias=True)
    return config


def test_full_attention_needs_the_whole_context():
    tower = text_tower(siglip_text()).eval()
    rows = torch.tensor([[5, 6, 1, 1, 1], [5, 6, 7, 8, 1], [5, 0, 0, 0, 0], [5, 6, 7, 8, 9]])
    rows = torch.cat([rows, rows[:, -1:].expand(4, CONTEXT - 5)], dim=1)
    features = tower(rows)
    assert torch.equal(features.pooled, tower.text(rows))
    assert features.mask.sum(dim=1).tolist() == [3, 5, 1, 5]
    with pytest.raises(ConfigError, match='exactly 16 tokens, got 5.*context_length=16'):
        tower(rows[:, :5])


def test_too_many_tokens():
    with pytest.raises(ConfigError, match='at most 16 tokens, got 17'):
        text_tower()(torch.ones(1, CONTEXT + 1, dtype=torch.long))


# freezing


def loss_of(tower, config):
    if isinstance(tower, OpenCLIPImageTower):
        features = tower(images(config))
        return features.pooled.square().sum() + sum(m.square().sum() for m in features.maps)
    features = tower(tokens())
    return features.pooled.square().sum() + features.words.square().sum()


class Parent(nn.Module):
    def __init__(self, tower):
        super().__init__()
        self.tower = tower
        self.scale = nn.Parameter(torch.ones(()))


CASES = [(image_tower, VIT), (image_tower, RESNET), (text_tower, VIT)]
IDS = ['vit', 'resnet', 'text']


@pytest.mark.parametrize('build, config', CASES, ids=IDS)
@pytest.mark.parametrize('kept', [None, 0, 1, 2])
def test_gradients_reach_what_is_trained_and_nothing_else(build, config, kept):
    tower = build(config, trainable_blocks=kept)
    Parent(tower).train()
    loss_of(tower, config).backward()
    trained = {name for name, p in tower.named_parameters() if p.requires_grad}
    for name, param in tower.named_parameters():
        assert (param.grad is not None) == (name in trained), name
    if kept is None:
        assert len(trained) == len(list(tower.parameters()))
        return
    blocks = range(1, 5) if config is RESNET else range(3)
    numbers = {name: re.search(r'(?:resblocks\.|layer)(\d)', name) for name in trained}
    assert {int(number[1]) for number in numbers.values() if number} == set(blocks[len(blocks) - kept :])
    for name in (name for name, number in numbers.items() if not number):
        assert any(part in name for part in ('ln_post', 'proj', 'attnpool', 'ln_final', 'text_projection')), name


@pytest.mark.parametrize('build, config', CASES, ids=IDS)
def test_frozen(build, config):
    tower = build(config, frozen=True)
    parent = Parent(tower).train()
    assert parent.training and not any(m.training for m in tower.modules())
    assert not any(p.requires_grad for p in tower.parameters())
    before = {k: v.clone() for k, v in tower.state_dict().items()}
    assert not loss_of(tower, config).requires_grad
    assert all(torch.equal(v, before[k]) for k, v in tower.state_dict().items())


def test_statistics_of_frozen_stages_stand_still():
    tower = image_tower(RESNET, trainable_blocks=1)
    tower.train()
    before = {k: v.clone() for k, v in tower.state_dict().items()}
    tower(images(RESNET))
    moved = {k.split('.')[1] for k, v in tower.state_dict().items() if not torch.equal(v, before[k])}
    assert moved == {'layer4'}
    tower.eval()
    assert not any(m.training for m in tower.modules())


@pytest.mark.parametrize('build', [image_tower, text_tower])
def test_grad_checkpointing_gives_the_same_gradients(build):
    plain, saving = build(VIT), build(VIT, grad_checkpointing=True)
    saving.load_state_dict(plain.state_dict())
    for tower in (plain, saving):
        loss_of(tower.train(), VIT).backward()
    for (name, a), (_, b) in zip(plain.named_parameters(), saving.named_parameters()):
        torch.testing.assert_close(a.grad, b.grad, msg=name)


def test_pretrained_weights_come_with_init_weights_and_once(tmp_path):
    path = save_format('plain', VIT, tmp_path / 'clip.pt')
    for build, part in ((image_tower, 'visual.proj'), (text_tower, 'text.text_projection')):
        tower, plain = build(pretrained=path, trainable_blocks=1), build()
        want = torch.load(path)[part.replace('text.', '')]
        assert torch.equal(tower.state_dict()[part], plain.state_dict()[part])
        before = list(tower.parameters())
        tower.init_weights()
        assert torch.equal(tower.state_dict()[part], want)
        assert all(a is b for a, b in zip(before, tower.parameters())), 'an optimizer has them'
        with torch.no_grad():
            tower.state_dict()[part].zero_()
        tower.init_weights()
        assert not tower.state_dict()[part].any()


def test_precision():
    tower, _ = filled(image_tower(precision='bf16', frozen=True), VIT)
    reference, _ = filled(image_tower(), VIT)
    with torch.no_grad():
        features, expected = tower(images(VIT)), reference(images(VIT))
    assert features.pooled.dtype == features.maps[0].dtype == torch.float32
    assert torch.cosine_similarity(features.pooled, expected.pooled).min() > 0.999
    assert not torch.equal(features.pooled, expected.pooled)
    text, _ = filled(text_tower(precision='bf16'), VIT)
    assert text(tokens()).words.dtype == torch.float32


def test_towers_survive_pickle_and_deepcopy():
    for tower, data in ((image_tower().eval(), images(VIT)), (text_tower().eval(), tokens())):
        with torch.no_grad():
            expected = tower(data).pooled
            assert torch.equal(pickle.loads(pickle.dumps(tower))(data).pooled, expected)
            assert torch.equal(copy.deepcopy(tower)(data).pooled, expected)


# bad options


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(frozen=True, trainable_blocks=1), 'contradict'),
        (dict(frozen=True, grad_checkpointing=True), 'no backward pass'),
        (dict(trainable_blocks=4), 'trainable_blocks must be a whole number from 0 to 3, got 4; this tower has 3'),
        (dict(trainable_blocks=-1), 'trainable_blocks must .*, got -1'),
        (dict(trainable_blocks=True), 'trainable_blocks must .*, got True'),
        (dict(precision='fp8'), "precision must be one of .*, got 'fp8'"),
        (dict(model='ViT-B-23'), "model='ViT-B-23'.*did you mean.*'ViT-B-32'"),
        (dict(model='hf-hub:someone/model'), 'open_clip_config.json'),
        (dict(model=3), 'must be the name'),
        (dict(model=dict(VIT, wings=2)), r"unknown keys \['wings'\]"),
        (dict(model=dict(embed_dim=32)), 'lacks'),
    ],
)
@pytest.mark.parametrize('cls', [OpenCLIPImageTower, OpenCLIPTextTower])
def test_bad_options(cls, options, message):
    with pytest.raises(ConfigError, match=message):
        cls(**{'model': VIT, **options})


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(out_stages=(3, 4)), 'is for ModifiedResNet'),
        (dict(model=RESNET, out_stages=(4, 3)), 'ascending'),
        (dict(model=RESNET, out_stages=()), 'ascending'),
        (dict(model=RESNET, grad_checkpointing=True), 'no effect'),
        (dict(model=RESNET, image_size=(64, 96)), 'square'),
        (dict(model=dict(VIT, vision_cfg=dict(VIT['vision_cfg'], wings=2))), 'wings'),
        (dict(model=dict(VIT, vision_cfg=dict(VIT['vision_cfg'], patch_dropout=0.5))), 'patch_dropout'),
        (dict(model=dict(VIT, vision_cfg=dict(VIT['vision_cfg'], pool_type='none'))), 'pool_type'),
        (dict(model=dict(embed_dim=8, vision_cfg=dict(timm_model_name='no_such_net'))), 'no_such_net'),
    ],
)
def test_bad_image_options(options, message):
    with pytest.raises(ConfigError, match=message):
        OpenCLIPImageTower(**{'model': VIT, **options})


@pytest.mark.parametrize('model, message', [('roberta-ViT-B-32', 'HFTextTower'), ('coca_ViT-B-32', 'CoCa')])
def test_text_halves_of_other_kinds(model, message):
    with pytest.raises(ConfigError, match=message):
        OpenCLIPTextTower(model=model)


def test_images_of_another_size_or_type():
    tower = image_tower()
    with pytest.raises(ConfigError, match=r'\(B, 3, 32, 32\), got torch.float32 \(2, 3, 40, 40\).*image_size=40'):
        tower(torch.zeros(2, 3, 40, 40))
    with pytest.raises(ConfigError, match='torch.uint8'):
        tower(torch.zeros(2, 3, 32, 32, dtype=torch.uint8))


def test_model_config_is_not_edited():
    config = copy.deepcopy(RESNET)
    image_tower(config, image_size=96)
    text_tower(config)
    assert config == RESNET
