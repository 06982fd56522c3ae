"""UCM-Captions on the frozen ResNet-50, as resnet50_ucm.py, with the released settings of HVSA."""

_base_ = [
    '../datasets/comparison_resnet50_ucm.py',
    '../schedules/adamw_50e_hvsa.py',
    '../comparison_patience_runtime.py',
]

optim_wrapper = dict(type='AutocastOptimWrapper')
train_dataloader = dict(batch_size=256)  # the released settings
