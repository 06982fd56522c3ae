"""The same in 15 epochs: val of small frozen-tower runs stops rising after about ten."""

_base_ = 'adamw_30e.py'

max_epochs = 15  # ours: val, UCM-Captions
param_scheduler = [_base_.param_scheduler[0], dict(_base_.param_scheduler[1], end=max_epochs, T_max=max_epochs - 2)]
train_cfg = dict(max_epochs=max_epochs)
