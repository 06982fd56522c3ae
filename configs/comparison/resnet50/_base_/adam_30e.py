"""One budget for every method: Adam, warm-up and cosine decay over 30 epochs; every fifth is validated."""

max_epochs = 30
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=5e-4))  # ours: not tuned
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
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=5)  # scoring all pairs takes a while
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
auto_scale_lr = dict(base_batch_size=128, enable=False)
