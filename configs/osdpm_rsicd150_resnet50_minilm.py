"""RSICD at 150 px (the 8973 images of train and val that are also in AID) with towers that need no model hub:

python tools/get_weights.py weights
python tools/fit_compression.py configs/osdpm_rsicd150_resnet50_minilm.py

These images have no test split: a tenth of train chooses checkpoint and settings, and val is reported.
"""

_base_ = [
    '_base_/datasets/retrieval_minilm.py',
    '_base_/models/osdpm_resnet50_minilm.py',
    '_base_/schedules/adamw_15e.py',
    '_base_/ema_runtime.py',
]

model = dict(image_tower=dict(init_cfg=dict(type='Pretrained', checkpoint='weights/compressed_resnet50_rsicd150.pth')))
optim_wrapper = dict(type='AutocastOptimWrapper')  # bfloat16
source = dict(type='RSICD', data_root='data/RSICD', split_convention='selection')
train_dataloader = dict(dataset=source)
val_dataloader = dict(dataset=dict(split='selection', **source))
test_dataloader = dict(dataset=dict(split='val', **source))
