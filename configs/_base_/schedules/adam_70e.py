"""Adam at 1e-4, times 0.7 every 20 epochs, for 70 epochs: the released settings of AMFMN (Yuan et al. 2022) for RSICD.

Its settings for RSITMD and those of GaLR have 2e-4, and those of GaLR for RSICD have 50 epochs. All rows have 70 here.

An epoch of theirs visits every caption, five of each image; one of ours visits every image with one of its captions,
drawn at random. So one of theirs is counted as five of ours, which makes the number of updates the same.
"""

passes = 5  # over the images, for one epoch of theirs
max_epochs = 70 * passes
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-4))
param_scheduler = [dict(type='StepLR', by_epoch=True, step_size=20 * passes, gamma=0.7)]
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=passes)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
auto_scale_lr = dict(base_batch_size=100, enable=False)
