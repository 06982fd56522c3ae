#!/usr/bin/env bash
# Search scenes on a map, offline, with the model of the quick start:
#
#     bash tools/archive/demo.sh
#
# Takes the checkpoint of tools/quickstart.sh (and runs that first if there is none), writes ten georeferenced scenes of
# 4096 x 4096 procedural pixels, makes an archive of them, asks five questions, locates one, and measures hit@k by place.
# After an interruption run it again: it continues where it stopped.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
source tools/environment.sh

export OMP_WAIT_POLICY="${OMP_WAIT_POLICY:-passive}"
config=configs/osdpm_scenes.py
model_dir=${OSDPM_QUICKSTART_DIR:-work_dirs/osdpm_scenes}
out=${OSDPM_DEMO_DIR:-work_dirs/archive_demo}
size=${OSDPM_DEMO_SIZE:-4096}
question='there is a roundabout with an island in the centre'

echo '[1/5] environment'
osdpm_environment "${STACK:-onedl}" archive

echo '[2/5] model'
if [ ! -f "$model_dir/finished" ]; then
    bash tools/quickstart.sh
fi
checkpoint=$(find "$model_dir" -maxdepth 1 -name 'best_*.pth' -exec ls -t {} + | head -n 1)
echo "model: $checkpoint"
SECONDS=0

echo '[3/5] scenes'
if [ ! -f "$out/scenes/queries.csv" ]; then
    "$ENV_PYTHON" -u tools/archive/make_demo_scenes.py "$out/scenes" --size "$size"
fi

echo '[4/5] archive'
"$ENV_PYTHON" -u tools/archive/build.py "$out/scenes" --config "$config" --checkpoint "$checkpoint" --out "$out/archive" \
    --tile 256 --stride 128 --attributes "$out/scenes/scenes.csv" --date-pattern %Y%m%d

echo '[5/5] questions'
"$ENV_PYTHON" -u tools/archive/search.py "$out/archive" --queries "$out/scenes/queries.csv" --topk 5 \
    --out "$out/hits.geojson" --out "$out/hits.png"
"$ENV_PYTHON" -u tools/archive/evaluate.py "$out/archive" "$out/scenes/queries.csv" --topk 1 10
"$ENV_PYTHON" -u tools/archive/locate.py "$out/archive" "$question" --out "$out/heat.tif" \
    --png "$out/heat.png" --sizes 192 256 320 --stride 0.25
echo "done: $out/hits.geojson, $out/hits.png, $out/heat.tif, $out/heat.png"
echo "wall time after the model: $SECONDS s"
