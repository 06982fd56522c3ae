"""RSITMD on Swin-T and BERT: everything is trained, with layer-wise learning rates, gradient checkpointing and moving
averages.
"""

_base_ = '../mixing/osdpm_swin_bert_rsitmd.py'

model = dict(image_tower=dict(with_cp=True), text_tower=dict(grad_checkpointing=True))
optim_wrapper = dict(
    constructor='LayerDecayConstructor',
    paramwise_cfg=dict(layer_decay=0.9),  # ours: not tuned; on top of a tenth of lr for the towers
)
custom_hooks = [
    *_base_.custom_hooks,
    dict(type='EMAHook', ema_type='ExponentialMovingAverage', momentum=0.01),  # ours: not tuned; about 100 iterations
]
