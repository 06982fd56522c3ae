"""The quick start: procedural scenes, small towers from scratch."""

_base_ = [
    '_base_/datasets/scenes.py',
    '_base_/models/osdpm_small.py',
    '_base_/schedules/adamw_24e.py',
    '_base_/default_runtime.py',
]
optim_wrapper = dict(optimizer=dict(lr=1e-3))  # ours: from scratch
auto_scale_lr = dict(base_batch_size=100)
