"""Every shipped config trains and predicts on another device than the CPU, with the numbers of the CPU."""

from __future__ import annotations

import copy

import pytest
import torch
from mmengine.runner import Runner
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

from osdpm_plugin.engine import ObjectFrequencyHook, VocabularyHook
from tests.helpers.other_device import DEVICE, OtherDeviceTensor, other_device
from tests.helpers.shrunk_configs import SHIPPED, shrink

STEPS = 2
ONE_OF_EACH_KIND = [
    'configs/osdpm_rsitmd.py',
    'configs/osdpm_ucm_resnet50_minilm.py',
    'configs/mixing/osdpm_swin_bert_rsitmd.py',
    'configs/mixing/dapn_resnet_classifier.py',
    'configs/regimes/rn50_partial_rsitmd.py',
    'configs/comparison/vsepp_ucm.py',
    'configs/comparison/scan_t2i_ucm.py',
    'configs/comparison/camp_bce_ucm.py',
    'configs/comparison/mtfn_ucm.py',
    'configs/comparison/amfmn_sim_ucm.py',
    'configs/comparison/galr_ucm.py',
    'configs/comparison/hvsa_ucm.py',
    'configs/comparison/lw_mcr_d_ucm.py',
]


def losses_and_metrics(cfg, name, device):
    """Loss, backward, optimizer step and prediction, as the Runner does them -> losses of each step, metrics on val."""
    cfg.experiment_name = name
    torch.manual_seed(0)
    runner = Runner.from_cfg(cfg)
    runner.model.init_weights()
    for module in runner.model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0  # fused attention draws other numbers than its parts do
    runner.model.to(device)
    runner._train_loop = runner.build_train_loop(cfg.train_cfg)
    for hook in runner.hooks:
        if isinstance(hook, (ObjectFrequencyHook, VocabularyHook)):
            hook.before_train(runner)
    optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    assert {p.device.type for p in runner.model.parameters()} == {torch.device(device).type}

    torch.manual_seed(1)
    losses = []
    runner.model.train()
    for _, batch in zip(range(STEPS), runner.train_dataloader):
        losses.append({key: value.item() for key, value in runner.model.train_step(batch, optim_wrapper).items()})
    runner.model.eval()
    runner._val_loop = runner.build_val_loop(cfg.val_cfg)
    runner.call_hook('before_val')
    evaluator = runner.val_loop.evaluator
    with torch.no_grad():
        for batch in runner.val_loop.dataloader:
            evaluator.process(data_samples=runner.model.val_step(batch), data_batch=batch)
    return losses, evaluator.evaluate(len(runner.val_loop.dataloader.dataset))


@pytest.mark.parametrize('config', [pytest.param(c, marks=[] if c in ONE_OF_EACH_KIND else pytest.mark.slow) for c in SHIPPED])
def test_every_config_runs_there_as_it_does_here(tmp_path, config):
    cfg = shrink(config, tmp_path)
    if cfg.optim_wrapper.type == 'AutocastOptimWrapper':
        cfg.optim_wrapper.type = 'OptimWrapper'  # the stand-in has one precision
    here = losses_and_metrics(copy.deepcopy(cfg), f'{config}-here', 'cpu')
    with other_device() as device:
        there = losses_and_metrics(copy.deepcopy(cfg), f'{config}-there', device)
    assert len(here[0]) == STEPS
    for mine, other in zip([*here[0], here[1]], [*there[0], there[1]]):
        assert other == pytest.approx(mine, rel=1e-4)
