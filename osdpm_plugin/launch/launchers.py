"""What is known of each launcher of several processes."""

from __future__ import annotations

from typing import NamedTuple


class Launcher(NamedTuple):
    """A launcher.

    Attributes:
        marker: a variable that it sets for each of its processes.
        size: the variable that holds the number of processes.
        start: the way to start it.
    """

    marker: str
    size: str
    start: str


LAUNCHERS = dict(
    pytorch=Launcher('RANK', 'WORLD_SIZE', 'bash tools/dist_train.sh CONFIG GPUS'),
    slurm=Launcher('SLURM_PROCID', 'SLURM_NTASKS', 'srun, see tools/slurm_train.sh'),
    mpi=Launcher('OMPI_COMM_WORLD_LOCAL_RANK', 'OMPI_COMM_WORLD_SIZE', 'mpirun'),
)
