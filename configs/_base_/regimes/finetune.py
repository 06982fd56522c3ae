"""All of both towers is trained: learning rates that fall layer by layer towards the input, and moving averages, which
validation, test and the best checkpoint take.

Departure: Dong et al. 2022 (arXiv 2212.06138), whose numbers these are, train a classifier and an image tower.
"""

_base_ = ['../schedules/adamw_30e.py', '../default_runtime.py']

optim_wrapper = dict(
    constructor='LayerDecayConstructor',
    paramwise_cfg=dict(
        layer_decay=0.6,  # Dong et al., ViT-B/16
        tower_lr_mult=0.15,  # ours: not tuned; 7.5e-5, Dong et al.'s 6e-4 for 2048 images scaled to 256
    ),
)
custom_hooks = [
    *_base_.custom_hooks,
    dict(type='EMAHook', ema_type='ExponentialMovingAverage', momentum=0.01),  # ours: not tuned; about 100 iterations
]
