"""Adam at 1e-4, times 0.7 every 20 epochs, for 70 epochs: the released settings of AMFMN (Yuan et al. 2022) for RSICD.

Its settings for RSITMD and those of GaLR have 2e-4; those of GaLR have 70 epochs for RSICD and 20 for RSITMD, see
galr_rsitmd.py. Rates drop before the epochs 19, 39 and 59, counted from 0, as in the released code of both.

An epoch of theirs visits every caption, five of each image; one of ours visits every image with one of its captions,
drawn at random. So one of theirs is counted as five of ours, which makes the number of updates the same.
"""

passes = 5  # over the images, for one epoch of theirs
max_epochs = 70 * passes
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-4))
param_scheduler = [
    dict(type='MultiStepLR', by_epoch=True, milestones=[19 * passes, 39 * passes, 59 * passes], gamma=0.7)
]
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=passes)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
auto_scale_lr = dict(base_batch_size=100, enable=False)
