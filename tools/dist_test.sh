#!/usr/bin/env bash
# Evaluate on several GPUs:  bash tools/dist_test.sh CONFIG CHECKPOINT GPUS [arguments of test.py]
#
# Several machines: the same command on each, with NNODES, NODE_RANK, MASTER_ADDR and PORT set.
set -euo pipefail
if [ $# -lt 3 ]; then
    echo 'usage: bash tools/dist_test.sh CONFIG CHECKPOINT GPUS [arguments of test.py]' >&2
    exit 2
fi
here=$(dirname "${BASH_SOURCE[0]}")
export PYTHONPATH="$here/..${PYTHONPATH:+:$PYTHONPATH}"
exec "${PYTHON:-python}" -m torch.distributed.run \
    --nnodes="${NNODES:-1}" \
    --node_rank="${NODE_RANK:-0}" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" \
    --master_port="${PORT:-29500}" \
    --nproc_per_node="$3" \
    "$here/test.py" "$1" "$2" --launcher pytorch "${@:4}"
