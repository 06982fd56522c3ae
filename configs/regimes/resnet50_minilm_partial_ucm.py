"""UCM-Captions on ResNet-50 and MiniLM: stage 4 and the last 2 of the 6 layers are trained.

As resnet50_minilm_partial_rsicd150.py, with `ucm` for `rsicd150`; four turns of all images take 3.4 GB.
"""

_base_ = [
    '../_base_/datasets/retrieval_minilm.py',
    '../_base_/models/osdpm_resnet50_minilm_partial.py',
    '../_base_/schedules/adamw_30e.py',
    '../_base_/ema_runtime.py',
]

optim_wrapper = dict(
    type='AutocastOptimWrapper',  # bfloat16
    constructor='LayerDecayConstructor',
    paramwise_cfg=dict(layer_decay=0.7, tower_lr_mult=0.1),  # ours: not tuned
)
source = dict(type='UCMCaptions', data_root='data/UCM_captions')
# ours: as in osdpm_ucm_resnet50_minilm.py
train_pipeline = [dict(step, num=1) if step['type'] == 'SampleCaptions' else step for step in _base_.train_pipeline]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline, **source))
val_dataloader = test_dataloader = dict(dataset=source)
