"""Weights shared out among two processes: the same training as with DDP, and checkpoints that everything reads."""

from __future__ import annotations

import shutil
import socket

import pytest
import torch

from osdpm_plugin.engine.fully_shard_strategy import clip_grad_norm
from tests.short_runs import finish, losses_of, run_here, start, weights_of, write_config

OPTIONS = {
    'model.neck.dropout': 0.0,
    'model.text_neck.dropout': 0.0,
    'train_dataloader.batch_size': 2,
    'train_cfg.val_interval': 2,
    'train_cfg.max_epochs': 2,
    'default_hooks.checkpoint.save_best': None,
    'default_hooks.checkpoint.max_keep_ckpts': -1,
}
SHARDED = (
    'runner_type=FlexibleRunner',
    'strategy.type=FullyShardStrategy',
    "strategy.blocks=['image_tower.visual.transformer.resblocks','text_tower.text.transformer.resblocks']",
)


def launch(config, work_dir, *arguments):
    with socket.socket() as listener:
        listener.bind(('127.0.0.1', 0))
        port = str(listener.getsockname()[1])
    done = finish(
        start('bash', 'tools/dist_train.sh', config, '2', '--work-dir', work_dir, *arguments, PORT=port), timeout=400
    )
    assert done.code == 0, done.err
    return [{i: {k: float.fromhex(v) for k, v in s.items()} for i, s in losses_of(work_dir, r).items()} for r in (0, 1)]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which('bash') is None, reason='needs bash')
@pytest.mark.skipif(torch.cuda.is_available(), reason='there both processes would ask for a GPU of their own')
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
    weights, others = weights_of(tmp_path / 'sharded' / 'epoch_2.pth'), weights_of(tmp_path / 'ddp' / 'epoch_2.pth')
    assert weights.keys() == others.keys()
    for name, value in weights.items():
        torch.testing.assert_close(value, others[name], rtol=1e-3, atol=1e-5, msg=lambda text, at=name: f'{at}: {text}')
    shutil.copytree(tmp_path / 'sharded', tmp_path / 'resumed')
    resumed = launch(
        config, tmp_path / 'resumed', '--resume', tmp_path / 'sharded' / 'epoch_1.pth', '--cfg-options', *SHARDED
    )
    for i in (2, 3):
        assert resumed[0][i] == pytest.approx(got[0][i], rel=1e-5)
    outcome = run_here('test', config, tmp_path / 'sharded' / 'epoch_2.pth', '--work-dir', tmp_path / 'test')
    assert outcome.code == 0 and 'median rank' in outcome.out, outcome.err


def test_clipping_by_hand():
    """Gradients (3) and (0, 4) have the norm 5; a greatest norm of 1 divides them by 5."""
    params = [torch.nn.Parameter(torch.zeros(n)) for n in (1, 2)]
    params[0].grad, params[1].grad = torch.tensor([3.0]), torch.tensor([0.0, 4.0])
    assert clip_grad_norm(params, max_norm=1.0).item() == pytest.approx(5.0)
    assert params[0].grad.tolist() == pytest.approx([0.6]) and params[1].grad.tolist() == pytest.approx([0.0, 0.8])
    clip_grad_norm(params, max_norm=2.0)
    assert params[0].grad.tolist() == pytest.approx([0.6])
