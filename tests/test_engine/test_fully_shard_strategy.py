"""Weights shared out among two processes: the same training as with DDP, and checkpoints that everything reads."""

from __future__ import annotations

import errno
import os
import shutil
from unittest import mock

import pytest
import torch

from osdpm_plugin.engine import load_from_local
from osdpm_plugin.engine.fully_shard_strategy import FullyShardStrategy, clip_grad_norm
from osdpm_plugin.errors import ConfigError
from tests.helpers.distributed import run_distributed
from tests.helpers.short_runs import (
    BASH_ON_A_CPU,
    finish,
    free_port,
    numbers_of,
    run_here,
    start,
    weights_of,
    write_config,
)

OPTIONS = {
    'model.neck.dropout': 0.0,
    'model.text_neck.dropout': 0.0,
    'train_dataloader.batch_size': 2,
    'train_cfg.val_interval': 2,
    'train_cfg.max_epochs': 2,
    'default_hooks.checkpoint.max_keep_ckpts': -1,
}
SHARDED = (
    'runner_type=FlexibleRunner',
    'strategy.type=FullyShardStrategy',
    "strategy.blocks=['image_tower.visual.transformer.resblocks','text_tower.text.transformer.resblocks']",
)


def launch(config, work_dir, *arguments):
    command = ['bash', 'tools/dist_train.sh', config, '2', '--work-dir', work_dir, *arguments]
    done = finish(start(*command, PORT=free_port()), timeout=400)
    assert done.code == 0, done.err
    return [numbers_of(work_dir, rank) for rank in (0, 1)]


@pytest.mark.slow
@BASH_ON_A_CPU
def test_same_training_as_ddp(tmp_path):
    """Four iterations with clipping and partly frozen towers; resumed; evaluated by one process without sharding."""
    sizes = dict(train=8, val=2, test=2)
    config = write_config(tmp_path, 'configs/regimes/vitb32_partial_rsicd.py', sizes=sizes, **OPTIONS)
    want = launch(config, tmp_path / 'ddp')
    got = launch(config, tmp_path / 'sharded', '--cfg-options', *SHARDED)
    assert sorted(want[0]) == [0, 1, 2, 3]
    for rank in (0, 1):
        for i, step in want[0].items():
            assert got[rank][i] == pytest.approx(step, rel=1e-4), (rank, i)
    for path in (tmp_path / 'sharded' / 'epoch_2.pth', *(tmp_path / 'sharded').glob('best_*.pth')):
        meta = load_from_local(str(path))['meta']
        assert (meta['epoch'], meta['iter']) == (2, 4), path
    weights, others = weights_of(tmp_path / 'sharded' / 'epoch_2.pth'), weights_of(tmp_path / 'ddp' / 'epoch_2.pth')
    assert weights.keys() == others.keys()
    for name, value in weights.items():
        torch.testing.assert_close(value, others[name], rtol=1e-3, atol=1e-5, msg=lambda text, at=name: f'{at}: {text}')
    shutil.copytree(tmp_path / 'sharded', tmp_path / 'resumed')
    resume = ('--resume', tmp_path / 'sharded' / 'epoch_1.pth')
    resumed = launch(config, tmp_path / 'resumed', *resume, '--cfg-options', *SHARDED)
    for i in (2, 3):
        assert resumed[0][i] == pytest.approx(got[0][i], rel=1e-5)
    outcome = run_here('test', config, tmp_path / 'sharded' / 'epoch_2.pth', '--work-dir', tmp_path / 'test')
    assert outcome.code == 0 and 'median rank' in outcome.out, outcome.err


@pytest.mark.slow
@BASH_ON_A_CPU
def test_a_similarity_of_pairs_is_kept_whole(tmp_path):
    """Two iterations and a validation, which calls the similarity by itself; the same losses as with DDP."""
    options = {'train_dataloader.batch_size': 2, 'train_cfg.max_epochs': 1, 'train_cfg.val_interval': 1}
    sizes = dict(train=8, val=2, test=2)
    config = write_config(tmp_path, 'configs/comparison/camp_triplet_rsicd.py', sizes=sizes, **options)
    want = launch(config, tmp_path / 'ddp')
    got = launch(config, tmp_path / 'sharded', '--cfg-options', *SHARDED[:2])
    for i, step in want[0].items():
        assert got[0][i] == pytest.approx(step, rel=1e-4), i
    weights, others = weights_of(tmp_path / 'sharded' / 'epoch_1.pth'), weights_of(tmp_path / 'ddp' / 'epoch_1.pth')
    torch.testing.assert_close(weights, others, rtol=1e-3, atol=1e-5)


def save_and_fail(folder):
    """A checkpoint, then a full disk while it is written again -> what it holds after each."""
    path = os.path.join(folder, 'epoch_1.pth')
    strategy = FullyShardStrategy(work_dir=folder)
    strategy._set_randomness(seed=0)
    strategy.prepare(torch.nn.Linear(2, 1), optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)))
    strategy.save_checkpoint(path, extra_ckpt=dict(meta=dict(epoch=1)), save_param_scheduler=False)
    before = load_from_local(path)
    full_disk = mock.patch('osdpm_plugin.utils.files.os.fsync', side_effect=OSError(errno.ENOSPC, 'full'))
    with full_disk, pytest.raises(OSError, match='full'):
        strategy.save_checkpoint(path, extra_ckpt=dict(meta=dict(epoch=9)), save_param_scheduler=False)
    after = load_from_local(path)
    shapes = {name: tuple(value.shape) for name, value in after['state_dict'].items()}
    return before['meta']['epoch'], after['meta']['epoch'], shapes, 'optimizer' in after, os.listdir(folder)


def test_a_full_disk_leaves_the_previous_checkpoint(tmp_path):
    shapes = {'weight': (1, 2), 'bias': (1,)}
    before, after, found, optimizer, files = run_distributed(save_and_fail, 1, str(tmp_path))[0]
    assert (before, after, found, optimizer) == (1, 1, shapes, True)
    assert [name for name in files if '.pth' in name] == ['epoch_1.pth']


def refuse(chunk):
    model = torch.nn.Linear(2, 1)
    model.grad_cache_chunk = chunk
    FullyShardStrategy().prepare(model)


def test_chunks_of_gradients_are_refused():
    with pytest.raises(ConfigError, match='does not work with model.grad_cache_chunk'):
        run_distributed(refuse, 1, 4)


def test_one_process_leaves_it_out(tmp_path):
    config = write_config(tmp_path, **{'train_cfg.max_epochs': 1, 'train_cfg.val_interval': 9})
    options = dict(runner_type='FlexibleRunner', strategy__type='FullyShardStrategy')
    outcome = run_here('train', config, '--work-dir', tmp_path / 'run', **options)
    assert outcome.code == 0 and 'one process: FullyShardStrategy is left out' in outcome.out, outcome.err


def test_clipping_by_hand():
    """Gradients (3) and (0, 4) have the norm 5; a greatest norm of 1 divides them by 5."""
    params = [torch.nn.Parameter(torch.zeros(n)) for n in (1, 2)]
    params[0].grad, params[1].grad = torch.tensor([3.0]), torch.tensor([0.0, 4.0])
    assert clip_grad_norm(params, max_norm=1.0).item() == pytest.approx(5.0)
    assert params[0].grad.tolist() == pytest.approx([0.6]) and params[1].grad.tolist() == pytest.approx([0.0, 0.8])
    clip_grad_norm(params, max_norm=2.0)
    assert params[0].grad.tolist() == pytest.approx([0.6])
