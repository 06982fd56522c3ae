#!/usr/bin/env bash
# Build an archive in several processes:  bash tools/dist_archive.sh PROCESSES [arguments of archive/build.py]
#
# One process a GPU, or a few a machine without. Each takes the scenes of its rank, then what others have left; one that
# dies loses the unit it was working on. Several machines that share the archive's disk: the same command on each, with
# NNODES, NODE_RANK, MASTER_ADDR and PORT set; under Slurm tools/slurm_archive.sh.
set -euo pipefail
if [ $# -lt 2 ]; then
    echo 'usage: bash tools/dist_archive.sh PROCESSES SCENES... --config CONFIG --out ARCHIVE [more of archive/build.py]' >&2
    exit 2
fi
here=$(dirname "${BASH_SOURCE[0]}")
export PYTHONPATH="$here/..${PYTHONPATH:+:$PYTHONPATH}"
export OSDPM_ARCHIVE_JOB="${OSDPM_ARCHIVE_JOB:-the job at ${MASTER_ADDR:-127.0.0.1}:${PORT:-29500}}"
exec "${PYTHON:-python}" -m torch.distributed.run \
    --nnodes="${NNODES:-1}" \
    --node_rank="${NODE_RANK:-0}" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" \
    --master_port="${PORT:-29500}" \
    --nproc_per_node="$1" \
    --max-restarts="${MAX_RESTARTS:-3}" \
    "$here/archive/build.py" "${@:2}" --launcher pytorch
