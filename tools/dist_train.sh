#!/usr/bin/env bash
# Train on several GPUs:  bash tools/dist_train.sh CONFIG GPUS [arguments of train.py]
#
# Several machines: the same command on each, with NNODES, NODE_RANK, MASTER_ADDR and PORT set.
set -euo pipefail
if [ $# -lt 2 ]; then
    echo 'usage: bash tools/dist_train.sh CONFIG GPUS [arguments of train.py]' >&2
    exit 2
fi
here=$(dirname "${BASH_SOURCE[0]}")
export PYTHONPATH="$here/..${PYTHONPATH:+:$PYTHONPATH}"
exec "${PYTHON:-python}" -m torch.distributed.run \
    --nnodes="${NNODES:-1}" \
    --node_rank="${NODE_RANK:-0}" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" \
    --master_port="${PORT:-29500}" \
    --nproc_per_node="$2" \
    "$here/train.py" "$1" --launcher pytorch "${@:3}"
