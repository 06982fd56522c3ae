"""Launchers of several processes: the variables that they set, and how processes without a GPU form a group."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

import torch.distributed as dist
from mmengine.config import Config

from ..errors import ConfigError


class Launcher(NamedTuple):
    """A launcher.

    Attributes:
        marker: a variable that it sets for each of its processes.
        size: the variable with the number of processes.
        start: how to start it, for messages.
    """

    marker: str
    size: str
    start: str


LAUNCHERS = dict(
    pytorch=Launcher('RANK', 'WORLD_SIZE', 'bash tools/dist_train.sh CONFIG GPUS'),
    slurm=Launcher('SLURM_PROCID', 'SLURM_NTASKS', 'srun, see tools/slurm_train.sh'),
    mpi=Launcher('OMPI_COMM_WORLD_LOCAL_RANK', 'OMPI_COMM_WORLD_SIZE', 'mpirun'),
)
PORT = '29500'  # mmengine's
# Slurm sets the markers in a batch script too, which is one process; this one only in what srun starts.
STEP_SIZE = dict(slurm='SLURM_STEP_NUM_TASKS')


def check_launcher(launcher: str) -> None:
    """Refuse several processes that do not know of each other: each would train alone, in one folder.

    Args:
        launcher: value of ``--launcher``.

    Raises:
        ConfigError: it is ``none`` in one of several processes.
    """
    for name, (marker, size, start) in LAUNCHERS.items() if launcher == 'none' else ():
        count = os.environ.get(STEP_SIZE.get(name, size), '')
        if marker in os.environ and count.isdigit() and int(count) > 1:
            raise ConfigError(
                f'this is one of {count} processes that were started together, and without --launcher each would run '
                f'alone in the same folder; add --launcher {name} (or start with {start})'
            )


def distribute_on_cpu(cfg: Config) -> None:
    """Connect the processes of a launcher with gloo, and set a model wrapper without device ids.

    mmengine's own start needs a GPU in every process.

    Args:
        cfg: config of a run with a launcher; ``model_wrapper_cfg`` is set if it is missing.

    Raises:
        ConfigError: a variable of Slurm or MPI is missing.
    """
    if cfg.launcher == 'slurm':
        _read_slurm()
    elif cfg.launcher == 'mpi':
        _read_mpi()
    if not dist.is_initialized():
        seconds = cfg.get('env_cfg', {}).get('dist_cfg', {}).get('timeout')  # mmengine's key, in seconds
        dist.init_process_group('gloo', timeout=None if seconds is None else timedelta(seconds=seconds))
    cfg.setdefault(
        'model_wrapper_cfg',
        dict(
            type='MMDistributedDataParallel',
            device_ids=None,
            broadcast_buffers=False,  # as mmengine does on GPUs
            find_unused_parameters=cfg.get('find_unused_parameters', False),
        ),
    )


def _read_slurm() -> None:
    """Slurm's variables -> torch's variables; MASTER_ADDR and MASTER_PORT may be set beforehand."""
    rank, size, nodes = _required('slurm', ('SLURM_PROCID', 'SLURM_NTASKS', 'SLURM_NODELIST'))
    os.environ.update(RANK=rank, LOCAL_RANK=os.environ.get('SLURM_LOCALID', '0'), WORLD_SIZE=size)
    os.environ.setdefault('MASTER_PORT', PORT)
    if 'MASTER_ADDR' not in os.environ:
        command = ['scontrol', 'show', 'hostnames', nodes]
        hosts = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        os.environ['MASTER_ADDR'] = hosts[0]


def _read_mpi() -> None:
    """Open MPI's variables -> torch's variables; MASTER_ADDR and MASTER_PORT may be set beforehand."""
    rank, size = _required('mpi', ('OMPI_COMM_WORLD_RANK', 'OMPI_COMM_WORLD_SIZE'))
    os.environ.update(RANK=rank, WORLD_SIZE=size)
    os.environ.setdefault('MASTER_ADDR', '127.0.0.1')
    os.environ.setdefault('MASTER_PORT', PORT)


def _required(launcher: str, names: Sequence[str]) -> list[str]:
    """The values of variables that a launcher sets."""
    missing = [name for name in names if name not in os.environ]
    if missing:
        raise ConfigError(f'--launcher {launcher}: {missing[0]} is not set; start with {LAUNCHERS[launcher].start}')
    return [os.environ[name] for name in names]
