"""Every shipped config trains and predicts on another device than the CPU, with the numbers of the CPU."""

from __future__ import annotations

import copy

import pytest
import torch
from mmcv.cnn.bricks import DropPath
from mmengine.runner import Runner
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

from osdpm_plugin.engine import ObjectFrequencyHook, VocabularyHook
from tests.helpers.other_device import DEVICE, OtherDeviceTensor, other_device
from tests.helpers.shrunk_configs import TRAINED, shrink
from tests.helpers.tiny_models import batch, build

STEPS = 2
MIXED = 'expected all tensors to be on the same device'
ONE_OF_EACH_KIND = [
    'configs/osdpm_rsitmd.py',
    'configs/osdpm_ucm_resnet50_minilm.py',
    'configs/mixing/osdpm_swin_bert_rsitmd.py',
    'configs/mixing/dapn_resnet_classifier.py',
    'configs/regimes/rn50_partial_rsitmd.py',
    'configs/comparison/vsepp_ucm.py',
    'configs/comparison/scan_t2i_ucm.py',
    'configs/comparison/amfmn_sim_ucm.py',
    'configs/comparison/galr_ucm.py',
    'configs/comparison/hvsa_ucm.py',
    'configs/comparison/lw_mcr_d_ucm.py',
]


def build_runner(cfg, name):
    """With its train and val loops; on the CPU, since transformers makes its weights on the meta device first."""
    cfg = copy.deepcopy(cfg)
    cfg.experiment_name = name
    torch.manual_seed(0)
    runner = Runner.from_cfg(cfg)
    runner.model.init_weights()
    runner._train_loop, runner._val_loop = runner.build_train_loop(cfg.train_cfg), runner.build_val_loop(cfg.val_cfg)
    for module in runner.model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0  # fused attention draws other numbers than its parts do
        elif isinstance(module, DropPath):
            module.drop_prob = 0.0
    return runner


def losses_and_metrics(runner, device):
    """Loss, backward, optimizer step and prediction, as the Runner does them -> losses of each step, metrics on val."""
    model = runner.model.to(device)
    for hook in runner.hooks:
        if isinstance(hook, (ObjectFrequencyHook, VocabularyHook)):
            hook.before_train(runner)
    optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    assert {p.device.type for p in model.parameters()} == {torch.device(device).type}

    torch.manual_seed(1)
    losses = []
    model.train()
    for _, data in zip(range(STEPS), runner.train_dataloader):
        losses.append({key: value.item() for key, value in model.train_step(data, optim_wrapper).items()})
    model.eval()
    runner.call_hook('before_val')
    evaluator = runner.val_loop.evaluator
    with torch.no_grad():
        for data in runner.val_loop.dataloader:
            evaluator.process(data_samples=model.val_step(data), data_batch=data)
    return losses, evaluator.evaluate(len(runner.val_loop.dataloader.dataset))


@pytest.mark.parametrize(
    'config', [c if c in ONE_OF_EACH_KIND else pytest.param(c, marks=pytest.mark.slow) for c in TRAINED]
)
def test_every_config_runs_there_as_it_does_here(tmp_path, config):
    cfg = shrink(config, tmp_path)
    if cfg.optim_wrapper.type == 'AutocastOptimWrapper':
        cfg.optim_wrapper.type = 'OptimWrapper'  # the stand-in has one precision
    here = losses_and_metrics(build_runner(cfg, f'{config}-here'), 'cpu')
    runner = build_runner(cfg, f'{config}-there')
    with other_device() as device:
        there = losses_and_metrics(runner, device)
    assert len(here[0]) == STEPS
    for mine, other in zip([*here[0], here[1]], [*there[0], there[1]]):
        assert other == pytest.approx(mine, rel=1e-4)


class ForgottenAttribute(nn.Module):
    """A tensor that is neither parameter nor buffer stays where it was made."""

    def __init__(self):
        super().__init__()
        self.scale = torch.tensor([2.0, 3.0, 4.0])

    def forward(self, x):
        return x * self.scale


class ForgottenMask(nn.Module):
    """A mask is made on the CPU."""

    def forward(self, x):
        return x.masked_fill(torch.arange(x.shape[-1]) > 1, 0.0)


class Right(nn.Module):
    """The same with a buffer, and with the device of the input."""

    def __init__(self):
        super().__init__()
        self.register_buffer('scale', torch.tensor([2.0, 3.0, 4.0]))

    def forward(self, x):
        return (x * self.scale).masked_fill(torch.arange(x.shape[-1], device=x.device) > 1, 0.0)


@pytest.mark.parametrize('wrong', [ForgottenAttribute, ForgottenMask])
def test_a_forgotten_move_is_found(wrong):
    x = torch.ones(2, 3)
    wrong()(x)
    with other_device() as device:
        with pytest.raises(RuntimeError, match=MIXED):
            wrong().to(device)(x.to(device))
        with pytest.raises(RuntimeError, match=MIXED):
            Right().to(device)(x)  # the input was forgotten
        found = Right().to(device)(x.to(device))
        assert isinstance(found, OtherDeviceTensor) and found.device.type == DEVICE
        assert found.cpu().tolist() == [[2.0, 3.0, 0.0], [2.0, 3.0, 0.0]]


def test_a_forgotten_move_inside_a_retriever_is_found():
    class Wrong(nn.Module):
        embed_dims = 16

        def __init__(self, neck):
            super().__init__()
            self.neck, self.turn = neck, torch.eye(16)

        def forward(self, features):
            out = self.neck(features)
            return out._replace(embedding=out.embedding @ self.turn)

    for wrap in (lambda neck: neck, Wrong):
        model = build()
        model.neck = wrap(model.neck)
        data = batch(range(4), num_objects=len(model.head.lexicon))
        with other_device() as device:
            model = model.to(device)
            inputs = model.data_preprocessor(data, training=True)
            if wrap is Wrong:
                with pytest.raises(RuntimeError, match=MIXED):
                    model(**inputs, mode='loss')
            else:
                sum(model(**inputs, mode='loss').values()).backward()
                assert {p.grad.device.type for p in model.parameters() if p.grad is not None} == {DEVICE}


def test_what_cuda_refuses_and_takes():
    with other_device() as device:
        there, here = torch.arange(6.0, device=device).view(2, 3), torch.ones(2, 3)
        rows = torch.tensor([1])
        assert there[rows].tolist() == there[rows.to(device)].tolist() == [[3.0, 4.0, 5.0]]
        assert (there + torch.tensor(1.0)).sum().item() == 21 and there.mean().item() == 2.5  # scalars may be anywhere
        there[rows] = 7.0
        assert there.cpu()[1].tolist() == [7.0] * 3 and here.copy_(there).device.type == 'cpu'
        for refused in (lambda: here[rows.to(device)], lambda: there + here, lambda: torch.cat([there, here])):
            with pytest.raises(RuntimeError, match=MIXED):
                refused()
        with pytest.raises((RuntimeError, TypeError)):
            there.numpy()
        sequences, lengths = torch.ones(2, 3, 1, device=device), torch.tensor([3, 2])
        assert pack_padded_sequence(sequences, lengths, batch_first=True).data.tolist() == [[1.0]] * 5
        with pytest.raises(RuntimeError, match='must be on the CPU'):
            pack_padded_sequence(sequences, lengths.to(device), batch_first=True)
        for made in (torch.zeros(2, device=device), torch.tensor([1, 2], device=device), torch.randn_like(there)):
            assert isinstance(made, OtherDeviceTensor)


def test_in_place_changes_of_shape_are_seen():
    with other_device() as device:
        x = torch.zeros(1, 3, device=device)
        x.squeeze_(0).add_(1)
        assert x.shape == (3,) and x.cpu().tolist() == [1.0] * 3
