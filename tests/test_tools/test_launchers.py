"""dist_train.sh and slurm_train.sh with real processes: one, two machines that are one, and a stand-in for Slurm."""

from __future__ import annotations

import os
import sys

import pytest

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
from tests.test_tools.test_shell import write_program

pytestmark = [pytest.mark.stack, BASH_ON_A_CPU]

SRUN = """#!/usr/bin/env bash
# Starts the tasks of one node as Slurm does: the same command in each, told apart by SLURM_PROCID.
while [[ "$1" == -* ]]; do
    case "$1" in
        --ntasks=*) tasks=${1#*=} ;;
        -p) shift ;;
    esac
    shift
done
for ((task = 0; task < tasks; task++)); do
    SLURM_PROCID=$task SLURM_LOCALID=$task SLURM_NTASKS=$tasks SLURM_NODELIST='node[7]' "$@" &
done
for ((task = 0; task < tasks; task++)); do
    wait -n || exit 1
done
"""
SCONTROL = """#!/usr/bin/env bash
[ "$*" = 'show hostnames node[7]' ] && echo 127.0.0.1
"""


@pytest.fixture(scope='module')
def config(tmp_path_factory):
    """A config of one epoch of two iterations on two processes, without validation."""
    options = {'train_dataloader.batch_size': 2, 'train_cfg.val_interval': 9}
    options['default_hooks.checkpoint.save_best'] = None
    return write_config(tmp_path_factory.mktemp('config'), sizes=dict(train=8, val=2, test=2), **options)


def assert_trained(run, processes, iterations):
    """Every process computes the loss of the global batch, which is one number."""
    losses = [numbers_of(run, rank) for rank in range(processes)]
    assert sorted(losses[0]) == list(range(iterations))
    for other in losses[1:]:
        assert other.keys() == losses[0].keys()
        assert all(step == pytest.approx(losses[0][i], rel=1e-6) for i, step in other.items())
    assert not any(key.startswith('module.') for key in weights_of(run / 'epoch_1.pth'))


@pytest.mark.slow
def test_one_process(config, tmp_path):
    done = finish(start('bash', 'tools/dist_train.sh', config, '1', '--work-dir', tmp_path, PORT=free_port()))
    assert done.code == 0, done.err
    assert_trained(tmp_path, 1, 4)


@pytest.mark.slow
def test_two_machines(config, tmp_path):
    """The same command on each, told apart by NODE_RANK."""
    where = dict(NNODES='2', MASTER_ADDR='127.0.0.1', PORT=free_port())
    nodes = [
        start('bash', 'tools/dist_train.sh', config, '1', '--work-dir', tmp_path, NODE_RANK=str(rank), **where)
        for rank in range(2)
    ]
    for done in [finish(node) for node in nodes]:
        assert done.code == 0, done.err
    assert_trained(tmp_path, 2, 2)


def test_slurm(config, tmp_path):
    for name, script in (('srun', SRUN), ('scontrol', SCONTROL)):
        write_program(tmp_path / 'bin' / name, script)
    command = ['bash', 'tools/slurm_train.sh', 'gpu', 'job', config, tmp_path / 'run']
    path = f'{tmp_path / "bin"}{os.pathsep}{os.environ["PATH"]}'
    done = finish(start(*command, GPUS='2', PATH=path, MASTER_PORT=free_port()))
    assert done.code == 0, done.err
    assert_trained(tmp_path / 'run', 2, 2)


@pytest.mark.slow
def test_mpi(config, tmp_path):
    """Two processes with the variables that mpirun sets."""
    port = free_port()
    ranks = [
        start(
            sys.executable, 'tools/train.py', config, '--work-dir', tmp_path, '--launcher', 'mpi',
            OMPI_COMM_WORLD_RANK=str(rank), OMPI_COMM_WORLD_LOCAL_RANK=str(rank), OMPI_COMM_WORLD_SIZE='2',
            MASTER_PORT=port,
        )
        for rank in range(2)
    ]  # fmt: skip
    for done in [finish(rank) for rank in ranks]:
        assert done.code == 0, done.err
    assert_trained(tmp_path, 2, 2)


def test_slurm_without_srun_is_one_sentence(config, tmp_path, monkeypatch):
    monkeypatch.setenv('SLURM_PROCID', '0')
    monkeypatch.delenv('SLURM_NTASKS', raising=False)
    done = run_here('train', config, '--work-dir', tmp_path, '--launcher', 'slurm')
    sentence = 'error: --launcher slurm: SLURM_NTASKS is not set; start with srun, see tools/slurm_train.sh'
    assert done.code == 2 and done.err.splitlines()[-1] == sentence
