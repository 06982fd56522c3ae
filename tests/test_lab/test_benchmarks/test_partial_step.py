"""The step from a cache at the cut and the uncached step, on a small ViT."""

import json

import pytest
import torch
from mmengine.config import Config

from osdpm_plugin.lab.benchmarks import partial_step
from osdpm_plugin.lab.benchmarks.training_step import made_up_batch
from osdpm_plugin.registry import TASK_UTILS
from tests.helpers.tiny_models import CLIP, osdpm_cfg

DEEP = dict(CLIP, vision_cfg=dict(CLIP['vision_cfg'], layers=4))


@pytest.fixture
def cfg(monkeypatch):
    sizes = dict(hidden_size=32, num_hidden_layers=4, num_attention_heads=2, intermediate_size=32)
    monkeypatch.setattr(partial_step, 'MINILM', dict(partial_step.MINILM, **sizes))
    model = osdpm_cfg(image_tower=dict(type='OpenCLIPImageTower', model=DEEP, pretrained='openai', frozen=True))
    return Config(dict(model=model, optim_wrapper=dict(optimizer=dict(type='AdamW', lr=1e-3))))


def test_both_sides_have_one_loss(cfg):
    model = partial_step.partial_model(cfg, 'cpu')
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    data = made_up_batch(model, TASK_UTILS.build(partial_step.TOKENIZER), 4, 'cpu').data
    found = [
        model(**model.data_preprocessor(batch, True), mode='loss')
        for batch in (data, partial_step.from_cache(model, data))
    ]
    for name, value in found[0].items():
        torch.testing.assert_close(found[1][name], value, rtol=5e-3, atol=1e-4)


def test_row(cfg):
    (row,) = json.loads(json.dumps(partial_step.compare_partial_steps(cfg, repeats=2, batch_size=4)))
    assert row['goal'] == '>= 4' and row['ratio']['of'] == 'speeds' and len(row['seconds']['ours']) == 2
    assert row['parameters'] > 0 and row['frozen'] > 0
