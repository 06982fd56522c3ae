#!/usr/bin/env bash
# Train under Slurm:  bash tools/slurm_train.sh PARTITION JOB_NAME CONFIG WORK_DIR [arguments of train.py]
#
# By environment: GPUS (8), GPUS_PER_NODE (8, at most GPUS), CPUS_PER_TASK (5), SRUN_ARGS (more options of srun).
set -euo pipefail
if [ $# -lt 4 ]; then
    echo 'usage: bash tools/slurm_train.sh PARTITION JOB_NAME CONFIG WORK_DIR [arguments of train.py]' >&2
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
    --kill-on-bad-exit=1 \
    ${more[@]+"${more[@]}"} \
    "${PYTHON:-python}" -u "$here/train.py" "$3" --work-dir="$4" --launcher=slurm "${@:5}"
