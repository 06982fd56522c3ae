#!/usr/bin/env bash
# Build an archive under Slurm:  bash tools/slurm_archive.sh PARTITION JOB_NAME [arguments of archive/build.py]
#
# By environment: GPUS (8), GPUS_PER_NODE (8, at most GPUS), CPUS_PER_TASK (5), SRUN_ARGS (more options of srun). A task
# that dies loses the unit it was working on; the others go on and take it.
set -euo pipefail
if [ $# -lt 3 ]; then
    echo 'usage: bash tools/slurm_archive.sh PARTITION JOB_NAME SCENES... --config CONFIG --out ARCHIVE [more of archive/build.py]' >&2
    exit 2
fi
here=$(dirname "${BASH_SOURCE[0]}")
gpus=${GPUS:-8}
per_node=${GPUS_PER_NODE:-8}
if [ "$gpus" -lt "$per_node" ]; then
    per_node=$gpus
fi
read -r -a more <<<"${SRUN_ARGS:-}"
export PYTHONPATH="$here/..${PYTHONPATH:+:$PYTHONPATH}"
exec srun \
    -p "$1" \
    --job-name="$2" \
    --gres="gpu:$per_node" \
    --ntasks="$gpus" \
    --ntasks-per-node="$per_node" \
    --cpus-per-task="${CPUS_PER_TASK:-5}" \
    --kill-on-bad-exit=0 \
    ${more[@]+"${more[@]}"} \
    "${PYTHON:-python}" -u "$here/archive/build.py" "${@:3}" --launcher slurm
