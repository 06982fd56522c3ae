"""Pixels as configs/osdpm_*_resnet50_minilm.py sees them, captions as whole words.

That is OpenCV's bicubic without antialias; images that are not square are squeezed.
"""

_base_ = 'comparison.py'

image_size = 224

train_pipeline = [
    dict(type='LoadRemoteSensingImage'),
    dict(type='mmpretrain.RandomResizedCrop', scale=image_size, crop_ratio_range=(0.5, 1.0), interpolation='bicubic'),
    dict(type='RandomFlip', prob=[0.25, 0.25], direction=['horizontal', 'vertical']),
    dict(type='RandomRotate90'),
    *_base_.train_pipeline[-3:],  # one caption, its words, packed
]
test_pipeline = [
    dict(type='LoadRemoteSensingImage'),
    dict(type='Resize', scale=(image_size, image_size), interpolation='bicubic'),
    *_base_.test_pipeline[-2:],
]

train_dataloader = dict(num_workers=2, dataset=dict(pipeline=train_pipeline))
val_dataloader = test_dataloader = dict(num_workers=2, dataset=dict(pipeline=test_pipeline))
