"""RSICD at 150 px on ResNet-50 and MiniLM: stage 4 and the last 2 of the 6 layers are trained.

python tools/get_weights.py weights
python tools/cache_features.py configs/regimes/resnet50_minilm_partial_rsicd150.py --out work_dirs/cache/partial --bf16
python tools/train.py configs/regimes/resnet50_minilm_partial_rsicd150.py \
    --cfg-options feature_cache=work_dirs/cache/partial

The maps of stage 3 take 0.4 MB a view of an image, four turns of all 14.4 GB, and each of `--augmented-views` another
2.9 GB. A tenth of train chooses the checkpoint, as in osdpm_rsicd150_resnet50_minilm.py.
"""

_base_ = [
    '../_base_/datasets/retrieval_minilm.py',
    '../_base_/models/osdpm_resnet50_minilm_partial.py',
    '../_base_/schedules/adamw_15e.py',
    '../_base_/ema_runtime.py',
]

optim_wrapper = dict(
    type='AutocastOptimWrapper',  # bfloat16
    constructor='LayerDecayConstructor',
    paramwise_cfg=dict(layer_decay=0.7, tower_lr_mult=0.1),  # ours: not tuned
)
source = dict(type='RSICD', data_root='data/RSICD', split_convention='selection')
train_dataloader = dict(dataset=source)
val_dataloader = dict(dataset=dict(split='selection', **source))
test_dataloader = dict(dataset=dict(split='val', **source))
