"""Both sides of the training step, on tiny towers."""

import json
import math

import pytest
import torch
from mmengine.config import Config

from osdpm_plugin.errors import ConfigError
from osdpm_plugin.lab.benchmarks.bare_loop import BareLoop
from osdpm_plugin.lab.benchmarks.step_profile import flops_of, held_bytes, peak_memory
from osdpm_plugin.lab.benchmarks.training_step import build_sides, compare_steps
from tests.helpers.tiny_models import CLIP, TOKENIZER, osdpm_cfg

RATES = dict(fp32_flops=1e9, bf16_flops=1e9, memory_bytes=1e9)


LONG = {**CLIP, 'text_cfg': {**CLIP['text_cfg'], 'context_length': 32}}  # longer than the captions
LONG_TOKENIZER = {**TOKENIZER, 'context_length': 32}


@pytest.fixture
def cfg():
    model = osdpm_cfg()
    model['head'].update(tokenizer=LONG_TOKENIZER)
    for name in ('image_tower', 'text_tower'):
        model[name].update(model=LONG, frozen=False, grad_checkpointing=True, pretrained='openai')
    return Config(
        dict(
            model=model,
            optim_wrapper=dict(
                constructor='LayerDecayConstructor',
                optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.05),
                clip_grad=dict(max_norm=5.0),
                paramwise_cfg=dict(layer_decay=0.6),
            ),
            train_dataloader=dict(
                dataset=dict(pipeline=[dict(type='TokenizeCaptions', tokenizer=LONG_TOKENIZER)]),
            ),
        )
    )


def test_both_sides_see_the_same_tensors(cfg):
    sides = build_sides(cfg, batch_size=4, precision='fp32', device='cpu')
    seen = {}
    sides.ours.model.image_tower.register_forward_pre_hook(lambda _, args: seen.update(ours=args[0].clone()))
    texts = []  # captions, then prompts
    sides.ours.model.text_tower.register_forward_pre_hook(lambda _, args: texts.append(args[0].clone()))
    sides.theirs.model.visual.register_forward_pre_hook(lambda _, args: seen.update(theirs=args[0].clone()))
    sides.theirs.model.token_embedding.register_forward_pre_hook(lambda _, args: seen.update(tokens=args[0].clone()))
    ours, theirs = sides.ours.step(), sides.theirs.step()
    torch.testing.assert_close(seen['ours'], seen['theirs'], rtol=0, atol=0)
    assert sorted(map(tuple, texts[0].tolist())) == sorted(map(tuple, seen['tokens'].tolist()))
    assert len(set(map(tuple, seen['tokens'].tolist()))) == 4
    assert all(math.isfinite(float(v)) for v in [*ours.values(), theirs])
    assert {'loss', 'loss_align', 'loss_cluster'} <= set(ours)


@pytest.mark.parametrize('precision', ['fp32', 'bf16'])
def test_everything_is_trained_on_either_side(cfg, precision):
    sides = build_sides(cfg, batch_size=4, precision=precision, device='cpu')
    for step, module, _ in (sides.ours, sides.theirs):
        before = {name: p.detach().clone() for name, p in module.named_parameters()}
        assert all(p.requires_grad for p in module.parameters())
        for _ in range(2):
            step()
        still = [n for n, p in module.named_parameters() if torch.equal(p, before[n])]
        assert still == []


def test_row(cfg):
    row, short = json.loads(json.dumps(compare_steps(cfg, repeats=2, batch_size=4, rates=RATES)))
    read = short['tokens']['theirs']
    assert row['goal'] == short['goal'] == '<= 1.1' and row['prompts'] == 6
    assert row['tokens'] == dict(ours=read, theirs=32) and short['tokens'] == dict(ours=read, theirs=read)
    assert row['what'].endswith(f'texts of {read} and 32 tokens') and 8 < read < 32
    assert row['seconds']['ours'] == short['seconds']['ours'] and row['seconds']['theirs'] != short['seconds']['theirs']
    assert short['details']['theirs']['flops'] < row['details']['theirs']['flops']
    for side in ('ours', 'theirs'):
        details = row['details'][side]
        assert details['flops'] > 0 and details['images_per_second'] > 0 and details['peak_memory_bytes'] is None
        assert details['floor_s']['matmul'] == details['flops'] / 1e9
        assert 0 < sum(op['share'] for op in details['most_time']) <= 1.0001
    sections = row['details']['ours']['sections_s']
    modules = {'data_preprocessor', 'image_tower', 'text_tower', 'neck', 'text_neck'}
    assert set(sections) == modules | {'head', 'backward', 'update', 'rest', 'whole'}
    parts = sum(v for k, v in sections.items() if k != 'whole')
    assert parts == pytest.approx(sections['whole']) and min(sections.values()) > 0


def test_a_short_context_changes_nothing_but_time(cfg):
    """The same weights, but for positions that no caption reaches."""
    sides = build_sides(cfg, batch_size=4, precision='fp32', device='cpu')
    state = sides.theirs.model.state_dict()
    state['positional_embedding'] = state['positional_embedding'][: sides.read]
    sides.short.model.load_state_dict(state)
    assert sides.read == int(sides.batch.tokens.argmax(dim=1).max()) + 1
    torch.testing.assert_close(sides.short.step(), sides.theirs.step(), rtol=0, atol=1e-5)


def test_held_bytes_by_hand():
    """3 weights: parameter, gradient and two moments of 4 bytes each, and AdamW's count of steps."""
    module = torch.nn.Linear(2, 1)
    optimizer = torch.optim.AdamW(module.parameters())
    assert held_bytes(module, optimizer) == 3 * 4
    module(torch.ones(1, 2)).sum().backward()
    assert held_bytes(module, optimizer) == 3 * 4 * 2
    optimizer.step()
    assert held_bytes(module, optimizer) == 3 * 4 * 4 + 2 * 4
    assert peak_memory(lambda: None, module, optimizer, 'cpu') is None


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_peak_memory_leaves_out_what_others_hold():
    module = torch.nn.Linear(512, 512, device='cuda')
    optimizer = torch.optim.AdamW(module.parameters())
    others = torch.ones(2**26, device='cuda')  # 256 MiB
    found = peak_memory(lambda: torch.ones(2**24, device='cuda'), module, optimizer, 'cuda')  # 64 MiB
    assert found == held_bytes(module, optimizer) + 2**26 and others.numel() == 2**26


def test_flops_of_the_bare_loop_are_three_forward_passes():
    """Forward, and two products of the same size backward, but for the first layer, which needs no gradient of its
    input.
    """
    bare = BareLoop(model=CLIP, optimizer=dict(lr=1e-4), precision='fp32', device='cpu')
    images, tokens = torch.randn(2, 3, 32, 32), torch.randint(1, 99, (2, 16))
    with torch.no_grad():
        forward = flops_of(lambda: (bare.model.encode_image(images), bare.model.encode_text(tokens)))
    assert 2.5 * forward < flops_of(lambda: bare.step(images, tokens)) < 3.3 * forward


def test_values_out_of_range(cfg):
    with pytest.raises(ConfigError, match='precision'):
        build_sides(cfg, batch_size=4, precision='fp8', device='cpu')
    with pytest.raises(ConfigError, match='at least 2'):
        build_sides(cfg, batch_size=1, precision='fp32', device='cpu')
    cfg.model.image_tower.type = 'mmpretrain.ResNet'
    with pytest.raises(ConfigError, match='no counterpart in open_clip'):
        build_sides(cfg, batch_size=4, precision='fp32', device='cpu')
