"""The same in 15 epochs: val of small frozen-tower runs stops rising after about ten."""

_base_ = 'adamw_30e.py'

max_epochs = 15  # ours: val, UCM-Captions
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=True, begin=0, end=2, convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR',
        eta_min=0,
        by_epoch=True,
        begin=2,
        end=max_epochs,
        T_max=max_epochs - 2,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(max_epochs=max_epochs)
