"""Towers in two parts: equal features and gradients, and what stands behind the cut."""

import copy

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch import nn

from osdpm_plugin.models.backbones.cutting import cuttable, frozen_part, names_behind_cut, trained_part, unsteady
from osdpm_plugin.registry import MODELS
from osdpm_plugin.structures import PartialImages, PartialTexts
from tests.helpers import tiny_models as tiny
from tests.helpers.distributed import run_distributed
from tests.helpers.tiny_models import CLIP
from tests.test_models.test_hf_text_tower import KINDS

RESNET = dict(type='mmpretrain.ResNet', depth=18, base_channels=8, norm_eval=True)
SWIN = dict(
    type='mmpretrain.SwinTransformer',
    arch=dict(embed_dims=8, depths=[1, 1, 1, 1], num_heads=[1, 1, 1, 1]),
    img_size=32,
    window_size=2,
    pad_small_map=True,
    drop_path_rate=0.0,
)
DEEP = dict(CLIP, vision_cfg=dict(CLIP['vision_cfg'], layers=4), text_cfg=dict(CLIP['text_cfg'], layers=4))
RN50 = dict(CLIP, vision_cfg=dict(image_size=32, layers=[1, 1, 1, 1], width=8))
WHOLE_CONTEXT = dict(DEEP, text_cfg=dict(DEEP['text_cfg'], no_causal_mask=True, pool_type='last', proj_bias=True))
IMAGE_TOWERS = {
    'vit': (dict(type='OpenCLIPImageTower', model=DEEP, trainable_blocks=2), 2),
    'vit, projection alone': (dict(type='OpenCLIPImageTower', model=DEEP, trainable_blocks=0), 4),
    'vit, all blocks': (dict(type='OpenCLIPImageTower', model=DEEP, trainable_blocks=4), 0),
    'vit, recomputed': (dict(type='OpenCLIPImageTower', model=DEEP, trainable_blocks=2, grad_checkpointing=True), 2),
    'rn50': (dict(type='OpenCLIPImageTower', model=RN50, out_stages=(2, 3, 4), trainable_blocks=1), 3),
    'rn50, last map': (dict(type='OpenCLIPImageTower', model=RN50, out_stages=(4,), trainable_blocks=2), 2),
    'resnet': (dict(RESNET, out_indices=(2, 3), frozen_stages=3), 3),
    'resnet, an output before': (dict(RESNET, out_indices=(0, 3), frozen_stages=2), 2),
    'resnet, stem alone': (dict(RESNET, out_indices=(3,), frozen_stages=0), 0),
    'resnet, deep stem': (dict(RESNET, type='mmpretrain.ResNetV1d', out_indices=(2, 3), frozen_stages=3), 3),
    'swin': (dict(SWIN, out_indices=(2, 3), frozen_stages=2), 3),
    'swin, earlier': (dict(SWIN, out_indices=(0, 3), frozen_stages=1), 2),
    'swin, after downsample': (dict(SWIN, out_indices=(2, 3), frozen_stages=2, out_after_downsample=True), 3),
}
TEXT_TOWERS = {
    'clip': (dict(type='OpenCLIPTextTower', model=DEEP, trainable_blocks=2), 2),
    'clip, projection alone': (dict(type='OpenCLIPTextTower', model=DEEP, trainable_blocks=0), 4),
    'clip, whole context': (dict(type='OpenCLIPTextTower', model=WHOLE_CONTEXT, trainable_blocks=1), 3),
    **{name: (dict(type='HFTextTower', config=config, trainable_layers=2), 1) for name, config in KINDS.items()},
    'bert, all layers': (dict(type='HFTextTower', config=KINDS['bert'], trainable_layers=3), 0),
    'bert, recomputed': (
        dict(type='HFTextTower', config=KINDS['bert'], trainable_layers=2, grad_checkpointing=True, pooling='cls'),
        1,
    ),
}


def build(settings):
    torch.manual_seed(0)
    tower = MODELS.build(copy.deepcopy(settings))
    for module in tower.modules():  # random statistics, so that those of a batch would show
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.5, 1.5)
    for module in tower.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    tower.train()
    return tower


def texts_of(settings):
    """(3, 12) tokens, or as many as the architecture takes, of 3, 7 and 5 words."""
    if settings['type'] == 'HFTextTower':
        pad = settings['config'].get('pad_token_id', 0)
        tokens = torch.full((3, 12), pad)
        for row, count in enumerate((3, 7, 5)):
            tokens[row, :count] = torch.arange(10 + row, 10 + row + count)
        return tokens
    tokens = torch.zeros(3, 16, dtype=torch.long)
    for row, count in enumerate((3, 7, 5)):
        tokens[row, :count] = torch.arange(5 + row, 5 + row + count)
        tokens[row, count] = 49407
    return tokens


def flat(features):
    """The real numbers of what a tower gives, in one vector."""
    if isinstance(features, torch.Tensor):
        return features.flatten() if features.is_floating_point() else features.new_zeros(0, dtype=torch.float32)
    return torch.cat([flat(part) for part in features if part is not None])


def gradients(tower, features):
    """Of a loss that weighs each number otherwise."""
    values = flat(features)
    (values * torch.linspace(-1, 1, len(values))).sum().backward()
    found = {name: p.grad.clone() for name, p in tower.named_parameters() if p.grad is not None}
    tower.zero_grad()
    return found


def check(settings, depth, inputs, kind):
    tower = build(settings)
    assert cuttable(tower).cut == depth
    whole = tower(inputs)
    with torch.no_grad():
        partial = frozen_part(tower, inputs)
    assert isinstance(partial, kind) and not any(value.requires_grad for value in flat(partial)[:1])
    parts = trained_part(tower, partial)
    torch.testing.assert_close(flat(parts), flat(whole), rtol=1e-6, atol=1e-6)
    want, have = gradients(tower, whole), gradients(tower, parts)
    trained = {name for name, p in tower.named_parameters() if p.requires_grad}
    assert want.keys() == have.keys() == trained == {n for n, _ in tower.named_parameters()} & names_behind_cut(tower)
    for name, gradient in want.items():
        assert (have[name] - gradient).abs().max() <= 1e-6 * max(1.0, float(gradient.abs().max())), name
    assert unsteady(tower) == []


@pytest.mark.parametrize('name', IMAGE_TOWERS)
def test_images(name):
    inputs = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    check(*IMAGE_TOWERS[name], inputs, PartialImages)


@pytest.mark.parametrize('name', TEXT_TOWERS)
def test_texts(name):
    settings, depth = TEXT_TOWERS[name]
    check(settings, depth, texts_of(settings), PartialTexts)


@pytest.mark.parametrize('name', TEXT_TOWERS)
def test_texts_padded_further_are_the_same(name):
    """Words of a caption come from the cache as long as it needs, and are padded to the longest of a batch."""
    settings, _ = TEXT_TOWERS[name]
    tower, tokens = build(settings).eval(), texts_of(settings)
    columns = cuttable(tower).columns(tokens)
    pooled = tower(tokens).pooled
    for row in range(3):
        words, mask = frozen_part(tower, tokens)
        own = words[row : row + 1, : columns[row]]
        padded = PartialTexts(nn.functional.pad(own, (0, 0, 0, words.shape[1] - own.shape[1])), mask[row : row + 1])
        torch.testing.assert_close(trained_part(tower, padded).pooled[0], pooled[row], rtol=1e-5, atol=1e-6)


def test_towers_of_one_piece():
    """Frozen whole: what they give; trained whole: their inputs; timm trunks: as trained whole."""
    images = torch.randn(2, 3, 32, 32)
    frozen = build(dict(type='OpenCLIPImageTower', model=DEEP, frozen=True))
    assert cuttable(frozen) is None and names_behind_cut(frozen) == set()
    torch.testing.assert_close(flat(frozen_part(frozen, images)), flat(frozen(images)), rtol=0, atol=0)
    trained = build(dict(type='OpenCLIPImageTower', model=DEEP))
    assert cuttable(trained) is None and frozen_part(trained, images) is images
    vision = dict(timm_model_name='convnext_atto', timm_pool='', timm_proj='linear', image_size=32)
    model = dict(embed_dim=8, vision_cfg=vision)
    trunk = build(dict(type='OpenCLIPImageTower', model=model, trainable_blocks=1))
    assert cuttable(trunk) is None and frozen_part(trunk, images) is images


def test_a_frozen_part_that_changes_is_told():
    tower = build(dict(RESNET, out_indices=(2, 3), frozen_stages=3))
    tower.layer1.train()
    assert unsteady(tower)[0] == 'layer1.0.bn1'
    tower.train()
    tower.layer2[0].conv1.weight.requires_grad_(True)
    assert unsteady(tower) == ['layer2.0.conv1.weight']
    trained_statistics = build(dict(RESNET, out_indices=(2, 3), frozen_stages=3, norm_eval=False))
    assert trained_statistics.layer4[0].bn1.training and unsteady(trained_statistics) == []
    assert 'layer4.0.bn1.running_mean' in names_behind_cut(trained_statistics)
    assert 'layer3.0.bn1.running_mean' not in names_behind_cut(trained_statistics)


SHARES = {1: [range(7)], 2: [[5, 0, 3, 6], [1, 2, 4]]}
LAST = dict(model=CLIP, trainable_blocks=1)


def losses_and_gradients(cached):
    """One step under DDP on this rank's share, from images and tokens or from what the frozen parts make of them."""
    world, rank = dist.get_world_size(), dist.get_rank()
    towers = dict(
        image_tower=dict(type='OpenCLIPImageTower', **LAST), text_tower=dict(type='OpenCLIPTextTower', **LAST)
    )
    model = tiny.build(**towers).eval()  # no dropout
    wrapped = nn.parallel.DistributedDataParallel(model)
    data = model.data_preprocessor(tiny.batch(SHARES[world][rank], captions_each=2, num_objects=6))
    if cached:
        with torch.no_grad():
            data['inputs'] = frozen_part(model.image_tower, data['inputs'])
            for sample in data['data_samples']:
                words, mask = frozen_part(model.text_tower, torch.from_numpy(sample.tokens))
                sample.tower_words, sample.tower_lengths = words.numpy(), mask.sum(dim=1).numpy()
    for sample in data['data_samples']:
        sample.object_counts = np.resize(sample.object_counts, len(model.head.lexicon))
    losses = wrapped(**data, mode='loss')
    sum(losses.values()).backward()
    grads = {name: p.grad.numpy() for name, p in model.named_parameters() if p.requires_grad}
    return {k: v.item() for k, v in losses.items()}, grads


def test_one_process_and_two_with_and_without_cached_parts():
    ((want_losses, want_grads),) = run_distributed(losses_and_gradients, 1, False)
    for processes in (1, 2):
        found = run_distributed(losses_and_gradients, processes, True)
        losses = {key: np.mean([own[key] for own, _ in found]) for key in want_losses}
        assert losses['loss_align'] == pytest.approx(want_losses['loss_align'], rel=1e-5)
        for _, grads in found:
            for name in ('image_tower.visual.proj', 'text_tower.text.transformer.resblocks.1.mlp.c_fc.weight'):
                assert np.abs(want_grads[name]).max() > 1e-4
            if processes == 1:
                assert grads.keys() == want_grads.keys()
                for name, grad in grads.items():
                    np.testing.assert_allclose(grad, want_grads[name], rtol=1e-3, atol=2e-6, err_msg=name)
