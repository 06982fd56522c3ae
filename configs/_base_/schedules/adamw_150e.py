"""The same in 150 epochs of one caption of an image, 30 passes over all captions, each pass validated: for text towers
that are trained from scratch.
"""

_base_ = 'adamw_30e.py'

max_epochs = 30 * 5  # ours: not tuned
optim_wrapper = dict(type='AutocastOptimWrapper')  # bfloat16
param_scheduler = [_base_.param_scheduler[0], dict(_base_.param_scheduler[1], end=max_epochs, T_max=max_epochs - 2)]
train_cfg = dict(max_epochs=max_epochs, val_interval=5)
