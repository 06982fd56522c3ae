"""One budget for every method: Adam in bfloat16, warm-up and cosine decay over 30 epochs, every fifth validated."""

_base_ = 'adamw_30e.py'

optim_wrapper = dict(
    _delete_=True, type='AutocastOptimWrapper', optimizer=dict(type='Adam', lr=5e-4)
)  # ours: not tuned
train_cfg = dict(val_interval=5)  # scoring all pairs takes a while
auto_scale_lr = dict(base_batch_size=128)
