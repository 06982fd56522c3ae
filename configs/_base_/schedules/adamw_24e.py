"""The same in 24 epochs, for the quick start."""

_base_ = 'adamw_30e.py'

max_epochs = 24
param_scheduler = [_base_.param_scheduler[0], dict(_base_.param_scheduler[1], end=max_epochs, T_max=max_epochs - 2)]
train_cfg = dict(max_epochs=max_epochs)
