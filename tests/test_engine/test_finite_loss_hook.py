"""A loss or gradient that is not finite never reaches the weights, on one process and on two."""

from __future__ import annotations

import itertools
import os
import re
from pathlib import Path

import mmengine.dist as dist
import pytest
import torch
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.registry import OPTIM_WRAPPERS
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement
from torch.utils.data import Dataset

from osdpm_plugin.engine import FiniteLossHook
from osdpm_plugin.errors import ConfigError, OSDPMError
from tests.helpers.distributed import run_distributed
from tests.helpers.short_runs import run_here, weights_of, write_config

BATCH, ITEMS = 2, 12
_names = itertools.count()


class Line(BaseModel):
    """Two weights behind batch normalisation; an input below -50 has an infinite slope at a loss of 0."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.norm = torch.nn.BatchNorm1d(3)
        self.line = torch.nn.Linear(3, 1)

    def forward(self, inputs, data_samples, mode='tensor'):
        out = self.line(self.norm(inputs)).square().mean()
        steep = (inputs < -50).any()
        return dict(loss=(out - out.detach()).sqrt() if steep else out)


class Points(Dataset):
    """Twelve points; those of ``bad`` are spoilt."""

    def __init__(self, bad=()) -> None:
        self.points = torch.randn(ITEMS, 3, generator=torch.Generator().manual_seed(1))
        for index, value in dict(bad).items():
            self.points[index] = value

    def __len__(self) -> int:
        return ITEMS

    def __getitem__(self, index: int) -> dict:
        sample = BaseDataElement(metainfo=dict(img_path=f'image_{index}.jpg'))
        sample.set_field(100 + index, 'image_id')
        return dict(inputs=self.points[index], data_samples=sample)


def collate(items):
    return dict(inputs=torch.stack([i['inputs'] for i in items]), data_samples=[i['data_samples'] for i in items])


def runner_of(
    work_dir, bad, guard, *, epochs=1, wrapper='OptimWrapper', launcher='none', hooks=(), resume=False, **settings
):
    return Runner(
        model=Line(),
        work_dir=str(work_dir),
        train_dataloader=dict(
            dataset=Points(bad),
            batch_size=BATCH,
            sampler=dict(type='DefaultSampler', shuffle=False),
            collate_fn=collate,
        ),
        train_cfg=dict(by_epoch=True, max_epochs=epochs),
        optim_wrapper=dict(type=wrapper, optimizer=dict(type='SGD', lr=0.1, momentum=0.9), **settings),
        custom_hooks=[dict(type='FiniteLossHook', **guard), *hooks],
        default_hooks=dict(checkpoint=dict(type='SafeCheckpointHook', interval=1)),
        launcher=launcher,
        resume=resume,
        cfg=dict(model_wrapper_cfg=dict(type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False)),
        log_level='WARNING',
        experiment_name=f'finite-{os.getpid()}-{next(_names)}',
    )


def by_hand(left_out, *, accumulate=1):
    """Plain PyTorch on the batches that remain; ``left_out`` are positions of batches."""
    model = Line()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for window in range(0, ITEMS // BATCH, accumulate):
        optimizer.zero_grad()
        steps = [window + i for i in range(accumulate)]
        if accumulate > 1 and steps[-1] in left_out:
            for batch in steps[:-1]:  # their forward passes have moved the statistics
                model.norm(Points().points[BATCH * batch : BATCH * batch + BATCH])
            continue
        for batch in steps:
            if batch not in left_out:
                (model(Points().points[BATCH * batch : BATCH * batch + BATCH], None)['loss'] / accumulate).backward()
        if not set(steps) <= set(left_out):
            optimizer.step()
    return model.state_dict()


def assert_equal_weights(ours, theirs):
    for name, value in theirs.items():
        if value.is_floating_point():
            torch.testing.assert_close(ours[name], value, msg=name)


SPOILT = {'nan': {4: float('nan')}, 'infinite': {5: float('inf')}, 'gradient': {4: -100.0}}


@pytest.mark.stack
@pytest.mark.parametrize('fault', SPOILT)
def test_skipping_is_training_without_the_batch(tmp_path, fault, monkeypatch):
    """Batch 2 of 6 is bad: weights, momentum and running statistics are those of the five others."""
    runner = runner_of(tmp_path, SPOILT[fault], dict(on_nonfinite='skip'))
    told = []
    monkeypatch.setattr('osdpm_plugin.engine.finite_loss_hook._warn', told.append)
    runner.train()
    assert_equal_weights(runner.model.state_dict(), by_hand({2}))
    assert 'iteration 3 of epoch 1: ' in told[0]
    assert 'image ids 104, 105 (image_4.jpg, image_5.jpg)' in told[0] and '(1 of at most 10)' in told[0]
    assert told[1:] == ['1 batches were left out of this training, because their loss or gradient was not finite']
    assert not {'update_params', 'step'} & vars(runner.optim_wrapper).keys()


@pytest.mark.stack
@pytest.mark.parametrize(('fault', 'words'), [('nan', 'the loss is nan'), ('gradient', 'its gradient is not')])
def test_raising_leaves_the_weights_as_they_were(tmp_path, fault, words):
    runner = runner_of(tmp_path, SPOILT[fault], dict())
    with pytest.raises(OSDPMError, match=f'iteration 3 of epoch 1: .*{words}.*image ids 104, 105') as caught:
        runner.train()
    assert '\n' not in str(caught.value) and '--resume' in str(caught.value)
    want = by_hand(range(2, 6))
    assert_equal_weights(runner.model.state_dict(), {key: want[key] for key in ('line.weight', 'line.bias')})


@pytest.mark.parametrize(('bad', 'left_out'), [({4: float('nan')}, {2}), ({6: float('nan')}, {3})])
def test_accumulated_gradients(tmp_path, bad, left_out):
    """Steps of two batches: a bad first one leaves the second alone, a bad second one takes the first with it."""
    runner = runner_of(tmp_path, bad, dict(on_nonfinite='skip'), accumulative_counts=2)
    runner.train()
    assert_equal_weights(runner.model.state_dict(), by_hand(left_out, accumulate=2))


def test_more_than_max_skips(tmp_path):
    """The bound counts resumed parts together: two epochs of one bad batch each, and one is allowed."""
    runner_of(tmp_path, SPOILT['nan'], dict(on_nonfinite='skip', max_skips=1)).train()
    resumed = runner_of(tmp_path, SPOILT['nan'], dict(on_nonfinite='skip', max_skips=1), epochs=2, resume=True)
    with pytest.raises(OSDPMError, match='iteration 9 of epoch 2.*1 batches were left out before'):
        resumed.train()


@OPTIM_WRAPPERS.register_module(force=True)
class ScaledWrapper(OPTIM_WRAPPERS.get('OptimWrapper')):
    """Like `AmpOptimWrapper`, which needs a GPU: has a scaler that looks after gradients."""

    stepped = 0

    def __init__(self, **kwargs) -> None:
        super().__init__(**kwargs)
        self.loss_scaler = object()

    def step(self, **kwargs) -> None:
        self.stepped += 1


def test_gradients_are_left_to_the_loss_scaler(tmp_path):
    """Its step is called for each of the six batches, bad gradient or not; a bad loss is refused all the same."""
    runner = runner_of(tmp_path / 'a', SPOILT['gradient'], dict(), wrapper='ScaledWrapper')
    runner.train()
    assert runner.optim_wrapper.stepped == ITEMS // BATCH
    with pytest.raises(OSDPMError, match='the loss is nan'):
        runner_of(tmp_path / 'b', SPOILT['nan'], dict(), wrapper='ScaledWrapper').train()


class Watch(Hook):
    """Weights after each iteration."""

    def __init__(self) -> None:
        self.seen = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        self.seen.append(runner.model.module.line.weight.detach().clone())


def two_processes(folder):
    """What each way of handling it ends in."""
    return [end_of(folder, way) for way in ('skip', 'raise')]


def end_of(folder, on_nonfinite):
    """Item 5 is on rank 1 in the second batch of each rank (items 0 2 | 4 6 | 8 10 and 1 3 | 5 7 | 9 11)."""
    watch = Watch()
    runner = runner_of(
        Path(folder, f'rank{dist.get_rank()}'), {5: float('nan')}, dict(on_nonfinite=on_nonfinite),
        launcher='pytorch', hooks=[watch],
    )  # fmt: skip
    try:
        runner.train()
    except OSDPMError as error:
        return str(error)
    return [weight.tolist() for weight in watch.seen], runner.message_hub.get_info('nonfinite_batches')


@pytest.mark.stack
@pytest.mark.skipif(torch.cuda.is_available(), reason='written for gloo')
def test_two_processes_decide_alike(tmp_path):
    ((first, count), one), ((second, _), other) = run_distributed(two_processes, 2, str(tmp_path))
    assert first == second and count == 1 and len(first) == 3
    assert first[1] == first[0] != first[2] and torch.tensor(first).isfinite().all()
    assert one == other
    assert re.match(r'iteration 2 of epoch 1: the loss is nan on rank 1, batch of image ids 105, 107', one)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [(dict(on_nonfinite='ignore'), "must be one of 'raise', 'skip', got 'ignore'"), (dict(max_skips=-1), 'at least 0')],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ConfigError, match=message):
        FiniteLossHook(**arguments)


def test_shipped_configs_are_guarded(tmp_path):
    """A learning rate that ruins the weights in the first step: the third of three epochs of two iterations fails, or
    one before it, and the checkpoints that are there hold numbers.
    """
    config = write_config(tmp_path, **{'train_cfg.max_epochs': 3, 'train_cfg.val_interval': 100})
    outcome = run_here('train', config, '--work-dir', tmp_path / 'run', optim_wrapper__optimizer__lr='1e38')
    assert outcome.code == 2
    assert re.search(r'^error: iteration \d of epoch \d: the loss is \S+, batch of image ids', outcome.err, re.M)
    for path in (tmp_path / 'run').glob('*.pth'):
        assert all(w.isfinite().all() for w in weights_of(path).values() if w.is_floating_point()), path
