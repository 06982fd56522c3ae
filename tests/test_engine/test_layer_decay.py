"""Layer-wise learning rates: exact multipliers for towers of each kind."""

import copy

import pytest
import torch
from mmengine.optim import DefaultOptimWrapperConstructor, LinearLR, build_optim_wrapper
from torch import nn

from osdpm_plugin.engine import LayerDecayConstructor, tower_levels
from osdpm_plugin.errors import ConfigError
from osdpm_plugin.registry import MODELS
from tests.helpers.shrunk_configs import CLIP_RESNET, at_full_size
from tests.helpers.tiny_models import CLIP, EMBED_DIM, build

RULES = dict(norm_decay_mult=0.0, bias_decay_mult=0.0)  # of the shipped schedules
BERT = dict(model_type='bert', hidden_size=16, num_hidden_layers=3, num_attention_heads=2, intermediate_size=16)
SWIN = dict(
    type='mmpretrain.SwinTransformer',
    arch=dict(embed_dims=8, depths=[1, 2, 1, 1], num_heads=[1, 1, 1, 1]),
    img_size=32,
    window_size=2,
    out_indices=(2, 3),
    pad_small_map=True,
)


def timm(name):
    """The config of a CLIP model around an image model of timm."""
    return dict(embed_dim=16, vision_cfg=dict(timm_model_name=name, timm_pool='', timm_proj='linear', image_size=32))


def levels(stem, block, numbers, head=''):
    """L, and the start of a parameter's name -> its level: 0 in the stem, then one a block, L + 1 in the head."""
    blocks = {block.format(number): level for level, number in enumerate(numbers, start=1)}
    return len(blocks), {**dict.fromkeys(stem.split(), 0), **blocks, **dict.fromkeys(head.split(), len(blocks) + 1)}


CLIP_STEM = 'visual.class_embedding visual.positional_embedding visual.conv1. visual.ln_pre.'
RESNET_STEM = ' '.join(f'visual.{part}{i}.' for part in ('conv', 'bn') for i in (1, 2, 3))
# tower and its levels; the first start that fits counts
KINDS = {
    'ViT': (
        dict(type='OpenCLIPImageTower', model=CLIP),
        levels(CLIP_STEM, 'visual.transformer.resblocks.{}.', range(2), 'visual.ln_post. visual.proj'),
    ),
    'CLIP text': (
        dict(type='OpenCLIPTextTower', model=CLIP),
        levels(
            'text.token_embedding. text.positional_embedding',
            'text.transformer.resblocks.{}.',
            range(2),
            'text.ln_final. text.text_projection',
        ),
    ),
    'ModifiedResNet': (
        dict(type='OpenCLIPImageTower', model=CLIP_RESNET, out_stages=(3, 4)),
        levels(RESNET_STEM, 'visual.layer{}.', range(1, 5), 'visual.attnpool.'),
    ),
    'timm ViT': (
        dict(type='OpenCLIPImageTower', model=timm('vit_tiny_patch16_224')),
        levels(
            'visual.trunk.cls_token visual.trunk.pos_embed visual.trunk.patch_embed.',
            'visual.trunk.blocks.{}.',
            range(12),
            'visual.trunk.norm. visual.head.',
        ),
    ),
    'timm stages': (
        dict(type='OpenCLIPImageTower', model=timm('convnext_atto')),
        levels('visual.trunk.stem.', 'visual.trunk.stages.{}.', range(4), 'visual.trunk.head. visual.head.'),
    ),
    'BERT': (
        dict(type='HFTextTower', config=BERT),
        levels('encoder.embeddings.', 'encoder.encoder.layer.{}.', range(3)),
    ),
    'final norm': (
        dict(type='HFTextTower', config=dict(BERT, model_type='modernbert', pad_token_id=0, vocab_size=64)),
        levels('encoder.embeddings.', 'encoder.layers.{}.', range(3), 'encoder.final_norm.'),
    ),
    'ResNet': (
        dict(type='mmpretrain.ResNet', depth=18, base_channels=8),
        levels('conv1. bn1.', 'layer{}.', range(1, 5)),
    ),
    'deep stem': (
        dict(type='mmpretrain.ResNetV1d', depth=50, base_channels=8),
        levels('stem.', 'layer{}.', range(1, 5)),
    ),
    'Swin': (
        dict(SWIN, use_abs_pos_embed=True),
        levels('absolute_pos_embed patch_embed.', 'stages.{}.', range(4), 'norm2. norm3.'),
    ),
    'says itself': (
        dict(
            type='mmpretrain.VisionTransformer',
            arch=dict(embed_dims=8, num_layers=2, num_heads=2, feedforward_channels=8),
            img_size=32,
            patch_size=16,
        ),
        levels('cls_token pos_embed patch_embed.', 'layers.{}.', range(2), 'ln1.'),
    ),
}


def wrapper_of(model, optimizer=None, **paramwise):
    """The optimizer wrapper, by default of AdamW at lr 1, weight decay 0.1."""
    optimizer = optimizer or dict(type='AdamW', lr=1.0, weight_decay=0.1)
    cfg = dict(optimizer=optimizer, constructor='LayerDecayConstructor', paramwise_cfg=paramwise)
    return build_optim_wrapper(model, cfg)


def settings(model, **paramwise):
    """Name -> (lr, weight decay)."""
    groups = wrapper_of(model, **paramwise).optimizer.param_groups
    names = {p: name for name, p in model.named_parameters()}
    return {names[p]: (group['lr'], group['weight_decay']) for group in groups for p in group['params']}


def retriever(**towers):
    """A tiny OSDPM with some other tower; its neck need not fit, since nothing is computed."""
    statistics = dict(type='RetrievalDataPreprocessor', mean=(0, 0, 0), std=(1, 1, 1), channel_order='rgb')
    return build(data_preprocessor=statistics, **towers)


@pytest.mark.stack
@pytest.mark.parametrize('kind', KINDS)
def test_levels_and_rates(kind):
    cfg, (num_blocks, starts) = KINDS[kind]
    side = 'text_tower' if 'Text' in cfg['type'] else 'image_tower'
    model = retriever(**{side: copy.deepcopy(cfg)})
    found = tower_levels(getattr(model, side))
    assert found.num_blocks == num_blocks
    assert {start for start in starts if any(name.startswith(start) for name in found.of)} == set(starts)
    want = {name: next(v for start, v in starts.items() if name.startswith(start)) for name in found.of}
    assert found.of == want

    rates = settings(model, layer_decay=0.5, tower_lr_mult=0.1)
    for name, level in want.items():
        assert rates[f'{side}.{name}'][0] == pytest.approx(0.1 * 0.5 ** (num_blocks + 1 - level)), name


def test_by_hand():
    """ViT of two blocks: r ** 3, r ** 2, r, 1, times 0.1; what is no tower has the full rate."""
    rates = settings(build(), layer_decay=0.5, tower_lr_mult=0.1, **RULES)
    for name, (lr, decay) in {
        'image_tower.visual.conv1.weight': (0.0125, 0.1),
        'image_tower.visual.ln_pre.weight': (0.0125, 0.0),
        'image_tower.visual.transformer.resblocks.0.mlp.c_fc.weight': (0.025, 0.1),
        'image_tower.visual.transformer.resblocks.1.mlp.c_fc.weight': (0.05, 0.1),
        'image_tower.visual.transformer.resblocks.1.mlp.c_fc.bias': (0.05, 0.0),
        'image_tower.visual.transformer.resblocks.1.ln_1.weight': (0.05, 0.0),
        'image_tower.visual.proj': (0.1, 0.1),
        'text_tower.text.token_embedding.weight': (0.0125, 0.1),
        'text_tower.text.ln_final.bias': (0.1, 0.0),
        'neck.output.2.weight': (1.0, 0.1),
        'neck.output.2.bias': (1.0, 0.0),
        'neck.gate': (1.0, 0.1),
        'head.alignment.log_scale': (1.0, 0.1),
    }.items():
        assert rates[name] == pytest.approx((lr, decay)), name


@pytest.mark.parametrize('layer_decay', [0.7, 1.0])
def test_each_trainable_parameter_once(layer_decay):
    model = retriever(image_tower=dict(type='OpenCLIPImageTower', model=CLIP, trainable_blocks=1))
    wrapper = wrapper_of(model, layer_decay=layer_decay, tower_lr_mult=0.1, **RULES)
    grouped = [p for group in wrapper.optimizer.param_groups for p in group['params']]
    trainable = [p for p in model.parameters() if p.requires_grad]
    assert len(grouped) == len(trainable) < len(list(model.parameters())) and set(grouped) == set(trainable)
    # 0.7 ** 3 (embeddings of the text, all decayed), then with and without decay: 0.7 ** 2, 0.7, 1, and necks and head
    assert len(wrapper.optimizer.param_groups) == (9 if layer_decay < 1 else 4)
    settings_of = [(group['lr'], group['weight_decay']) for group in wrapper.optimizer.param_groups]
    assert len(set(settings_of)) == len(settings_of)


def test_shared_parameter_is_in_one_group():
    model = build()
    model.image_tower.second = nn.Linear(4, 4)
    model.image_tower.second.weight = model.neck.output[2].weight
    assert 'neck.output.2.weight' not in settings(model)  # known by its first name
    assert settings(model)['image_tower.second.weight'] == pytest.approx((1.0, 0.1))


@pytest.mark.stack
@pytest.mark.parametrize(
    'rules',
    [
        {},
        RULES,
        dict(RULES, flat_decay_mult=0.3),
        dict(norm_decay_mult=0.5, bias_lr_mult=2.0, dwconv_decay_mult=0.1),
        dict(RULES, custom_keys={'gate': dict(decay_mult=0.0), 'log_': dict(decay_mult=0.0)}),
    ],
)
def test_as_mmengine_where_nothing_falls(rules):
    """With both keys at 1 and no custom key on a norm or bias, settings are mmengine's."""
    model = build()
    optimizer = dict(type='AdamW', lr=1.0, weight_decay=0.1)
    groups: list = []
    DefaultOptimWrapperConstructor(dict(optimizer=optimizer), rules).add_params(groups, model)
    names = {p: name for name, p in model.named_parameters()}
    want = {names[g['params'][0]]: (g.get('lr', 1.0), g.get('weight_decay', 0.1)) for g in groups}
    assert settings(model, layer_decay=1.0, **rules) == want
    assert (len(set(want.values())) > 1) == bool(rules)


def test_custom_keys_multiply():
    """Table: rule x custom key x depth. mmengine would give the norm lr 0.2 and decay 0.1."""
    custom = {
        'image_tower': dict(lr_mult=0.2),
        'image_tower.visual.transformer': dict(lr_mult=0.5, decay_mult=2.0),  # longer: counts alone
        'text_tower': dict(decay_mult=0.5),
        'gate': dict(decay_mult=0.0),
    }
    rates = settings(build(), layer_decay=0.5, tower_lr_mult=0.1, custom_keys=custom, **RULES)
    for name, (lr, decay) in {
        'image_tower.visual.ln_post.weight': (0.1 * 0.2, 0.0),
        'image_tower.visual.proj': (0.1 * 0.2, 0.1),
        'image_tower.visual.transformer.resblocks.0.mlp.c_fc.weight': (0.1 * 0.25 * 0.5, 0.2),
        'image_tower.visual.transformer.resblocks.0.ln_1.weight': (0.1 * 0.25 * 0.5, 0.0),
        'text_tower.text.text_projection': (0.1, 0.05),
        'text_tower.text.ln_final.weight': (0.1, 0.0),
        'neck.gate': (1.0, 0.0),
    }.items():
        assert rates[name] == pytest.approx((lr, decay)), name


def test_equally_long_keys_and_other_settings():
    """The first of the alphabet wins; what is no multiplier reaches the optimizer."""
    custom = {'visual': dict(lr_mult=0.5), 'tower.': dict(lr_mult=0.25, eps=1e-3), 'neck.': dict(lr=7.0)}
    wrapper = wrapper_of(build(), custom_keys=custom)
    by_rate = {group['lr']: group['eps'] for group in wrapper.optimizer.param_groups}
    assert by_rate == {0.25: 1e-3, 7.0: 1e-8, 1.0: 1e-8}


def test_a_step_and_a_schedule_keep_the_ratios():
    """SGD on gradients of 1 moves each parameter by its learning rate; warm-up at half rate by half of it."""
    model = build()
    wrapper = wrapper_of(model, dict(type='SGD', lr=0.5), layer_decay=0.5, tower_lr_mult=0.5)
    LinearLR(wrapper, start_factor=0.5, end=10)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    for p in model.parameters():
        p.grad = torch.ones_like(p)
    wrapper.step()
    moved = {name: (before[name] - p).mean().item() for name, p in model.named_parameters()}
    assert moved['neck.output.2.weight'] == pytest.approx(0.25, rel=1e-4)
    assert moved['image_tower.visual.proj'] == pytest.approx(0.125, rel=1e-4)
    assert moved['image_tower.visual.conv1.weight'] == pytest.approx(0.125 / 8, rel=1e-4)


def test_frozen_towers_need_no_blocks():
    model = retriever(image_tower=dict(type='OpenCLIPImageTower', model=CLIP, frozen=True))
    model.text_tower = nn.Linear(4, EMBED_DIM).requires_grad_(False)
    rates = settings(model, layer_decay=0.5, tower_lr_mult=0.1)
    assert not [name for name in rates if 'tower' in name]
    assert {lr for lr, _ in rates.values()} == {1.0}


def test_unknown_towers():
    model = build()
    model.text_tower = nn.Linear(4, 4)
    with pytest.raises(ConfigError, match='blocks of the tower Linear cannot be told apart; set layer_decay=1.0'):
        settings(model, layer_decay=0.5)
    assert settings(model, tower_lr_mult=0.3)['text_tower.weight'] == pytest.approx((0.3, 0.1))
    shared = MODELS.build(dict(type='HFTextTower', config=dict(BERT, model_type='albert', embedding_size=8)))
    with pytest.raises(ConfigError, match=r'HFTextTower \(AlbertModel\)'):
        tower_levels(shared)
    no_list = dict(type='OpenCLIPImageTower', model=timm('resnet10t'))
    with pytest.raises(ConfigError, match=r'OpenCLIPImageTower \(ResNet\)'):
        tower_levels(MODELS.build(no_list))
    with pytest.raises(ConfigError, match=r'trainable_blocks is not supported for OpenCLIPImageTower \(ResNet\)'):
        MODELS.build(dict(no_list, trainable_blocks=1))


@pytest.mark.parametrize(
    ('paramwise', 'words'),
    [
        (dict(layer_decay=0.0), r'paramwise_cfg: layer_decay must be a number above 0 and of at most 1, got 0.0'),
        (dict(layer_decay=1.01), 'layer_decay must .*, got 1.01'),
        (dict(layer_decay=True), 'layer_decay must .*, got True'),
        (dict(layer_decay='0.5'), "layer_decay must .*, got '0.5'"),
        (dict(layer_decay=float('nan')), 'layer_decay must .*, got nan'),
        (
            dict(tower_lr_mult=0),
            'tower_lr_mult must be a number above 0, got 0; to train nothing of a tower, freeze it',
        ),
        (dict(tower_lr_mult=float('inf')), 'tower_lr_mult must .*, got inf'),
        (dict(layer_decy=0.5), r"unknown keys \['layer_decy'\]"),
    ],
)
def test_bad_values(paramwise, words):
    with pytest.raises(ConfigError, match=words):
        settings(build(), **paramwise)


def test_bad_models_and_optimizers():
    with pytest.raises(ConfigError, match='Linear has neither'):
        settings(nn.Linear(2, 2), layer_decay=0.5)
    with pytest.raises(ConfigError, match=r'set lr in optim_wrapper.optimizer'):
        LayerDecayConstructor(optim_wrapper_cfg=dict(optimizer=dict(type='AdamW')), paramwise_cfg={})


@pytest.mark.parametrize(
    ('config', 'rates'),
    [
        (
            'vitb32_finetune_rsitmd',  # 7.5e-5 after the blocks, times 0.6 a block
            {
                'image_tower.visual.proj': 7.5e-5,
                'image_tower.visual.transformer.resblocks.11.mlp.c_fc.weight': 4.5e-5,
                'image_tower.visual.transformer.resblocks.10.mlp.c_fc.weight': 2.7e-5,
                'image_tower.visual.conv1.weight': 7.5e-5 * 0.6**13,
                'text_tower.text.token_embedding.weight': 7.5e-5 * 0.6**13,
                'neck.gate': 5e-4,
            },
        ),
        (
            'vitl14_finetune_rsicd',
            {
                'image_tower.visual.transformer.resblocks.23.mlp.c_fc.weight': 3.25e-5,
                'image_tower.visual.conv1.weight': 5e-5 * 0.65**25,
                'text_tower.text.token_embedding.weight': 5e-5 * 0.65**13,
            },
        ),
        (
            'rn50_finetune_rsicd',  # half the batch, half the rates; four stages
            {
                'image_tower.visual.layer4.0.conv1.weight': 2.25e-5,
                'image_tower.visual.conv1.weight': 3.75e-5 * 0.6**5,
                'neck.gate': 2.5e-4,
            },
        ),
        (
            'vitb32_partial_rsicd',
            {
                'image_tower.visual.proj': 1e-5,
                'image_tower.visual.transformer.resblocks.9.mlp.c_fc.weight': 1e-5,
                'image_tower.visual.transformer.resblocks.8.mlp.c_fc.weight': None,  # frozen
                'text_tower.text.transformer.resblocks.9.mlp.c_fc.weight': 1e-5,
                'text_tower.text.transformer.resblocks.8.mlp.c_fc.weight': None,
            },
        ),
    ],
)
def test_rates_of_shipped_regimes(config, rates):
    """At their full size, without memory."""
    cfg, model = at_full_size(f'configs/regimes/{config}.py')
    groups = build_optim_wrapper(model, cfg.optim_wrapper).optimizer.param_groups
    names = {p: name for name, p in model.named_parameters()}
    found = {names[p]: group['lr'] for group in groups for p in group['params']}
    assert {name: found.get(name) for name in rates} == pytest.approx(rates)
