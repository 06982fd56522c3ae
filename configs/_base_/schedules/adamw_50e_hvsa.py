"""AdamW with a warm-up of 10 epochs and a tenth of the rate from epochs 19 and 39 on (counted from 0), for 50 epochs:
the released settings of HVSA (Zhang et al. 2023).

An epoch of theirs visits every caption, five of each image; one of ours visits every image with one of its captions,
drawn at random. So one of theirs is counted as five of ours, which makes the number of updates the same.
"""

passes = 5  # over the images, for one epoch of theirs
max_epochs = 50 * passes
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.01))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=True, begin=0, end=9 * passes),
    dict(type='MultiStepLR', by_epoch=True, milestones=[19 * passes, 39 * passes], gamma=0.1),
]
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=passes)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
auto_scale_lr = dict(base_batch_size=256, enable=False)
