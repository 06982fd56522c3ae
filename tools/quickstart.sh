#!/usr/bin/env bash
# From a fresh checkout to a recall table and a gallery, with nothing to download but packages:
#
#     bash tools/quickstart.sh
#
# Installs, trains on the procedural scenes, evaluates, draws. After an interruption run it again: it continues where it
# stopped, and a finished training is reused.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tools/environment.sh

export OMP_WAIT_POLICY="${OMP_WAIT_POLICY:-passive}" # threads that spin slow down a machine that is busy elsewhere
config=configs/osdpm_scenes.py
work_dir=${OSDPM_QUICKSTART_DIR:-work_dirs/osdpm_scenes}
finished=$work_dir/finished

best_checkpoint() {
    if [ -d "$work_dir" ]; then
        find "$work_dir" -maxdepth 1 -name 'best_*.pth' -exec ls -t {} + | head -n 1
    fi
}

echo '[1/4] environment'
osdpm_environment

echo '[2/4] training'
best=$(best_checkpoint)
if [ -f "$finished" ] && [ -n "$best" ]; then
    echo "training: $best is finished and reused; remove $work_dir to train again"
else
    resume=()
    if compgen -G "$work_dir/last_checkpoint" >/dev/null || compgen -G "$work_dir/epoch_*.pth" >/dev/null; then
        echo "training: continues from $(cat "$work_dir/last_checkpoint" 2>/dev/null || echo 'its newest checkpoint')"
        resume=(--resume)
    fi
    "$ENV_PYTHON" -u tools/train.py "$config" --work-dir "$work_dir" ${resume[@]+"${resume[@]}"}
    best=$(best_checkpoint)
    if [ -z "$best" ]; then
        echo "training ended without a best_*.pth in $work_dir; its log says why" >&2
        exit 1
    fi
    touch "$finished"
fi

echo "[3/4] evaluation of $best"
"$ENV_PYTHON" -u tools/test.py "$config" "$best"

echo '[4/4] gallery'
"$ENV_PYTHON" -u tools/visualize/gallery.py "$config" "$best" --out "$work_dir/gallery.png"
echo "done: checkpoint $best, pictures $work_dir/gallery.png"
echo "wall time: $SECONDS s"
