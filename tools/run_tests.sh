#!/usr/bin/env bash
# Run the tests; makes the environment if there is none.
#
#     bash tools/run_tests.sh [pytest arguments]                      the default stack, without slow tests
#     bash tools/run_tests.sh -m slow                                 the slow ones
#     TEST_WORKERS=0 bash tools/run_tests.sh -x --pdb                 in one process
#     STACK=openmmlab bash tools/run_tests.sh -m stack                what depends on the stack, on the other one
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tools/environment.sh
osdpm_environment "${STACK:-onedl}" archive,dev
export OMP_NUM_THREADS=1  # two workers share the machine, and the tensors are tiny
exec "$ENV_PYTHON" -m pytest -n "${TEST_WORKERS:-2}" --dist worksteal "$@"
