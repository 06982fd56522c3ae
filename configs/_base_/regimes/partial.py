"""The last blocks of both towers are trained, with one small learning rate."""

_base_ = ['../schedules/adamw_30e.py', '../default_runtime.py']

optim_wrapper = dict(
    constructor='LayerDecayConstructor',
    paramwise_cfg=dict(tower_lr_mult=0.02),  # ours: not tuned; 1e-5, GeoRSCLIP's RET-2 took 5e-6 for whole towers
)
