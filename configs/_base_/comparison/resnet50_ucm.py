"""UCM-Captions on the frozen ResNet-50: the released settings in bfloat16, until mR has not risen for ten passes."""

_base_ = [
    '../datasets/comparison_resnet50_ucm.py',
    '../schedules/adam_70e.py',
    '../comparison_patience_runtime.py',
]

optim_wrapper = dict(type='AutocastOptimWrapper')
