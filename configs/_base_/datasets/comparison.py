"""Pipelines and loaders of the comparison methods: Yuan et al. 2022 (AMFMN, arXiv 2204.09868) ran all of them on one
setting, ResNet-18 at 256 px and whole words. A set's own file names its type and folder.

Departure: training images are rotated by 0 to 90 degrees for every row, as in the released code of GaLR and HVSA; that
of AMFMN calls ``RandomRotation(0, 90)``, which rotates by 0 degrees.
Departure: images are squeezed to a square by OpenCV's bilinear, which has no antialias; the released code of these
methods resizes by torchvision on Pillow images, which has one.
"""

_base_ = 'loaders.py'

tokenizer = dict(type='WordTokenizer', context_length=47)

train_pipeline = [
    dict(type='LoadRemoteSensingImage'),
    dict(type='Resize', scale=(278, 278)),
    dict(  # by 0 to 90 degrees, counter-clockwise, black outside
        type='mmpretrain.Rotate',
        magnitude_range=(0, 90),
        magnitude_std='inf',
        prob=1.0,
        random_negative_prob=1.0,
        pad_val=0,
    ),
    dict(type='mmpretrain.RandomCrop', crop_size=256),
    dict(type='SampleCaptions', num=1),
    dict(type='TokenizeCaptions', tokenizer=tokenizer),
    dict(type='PackRetrievalInputs'),
]
test_pipeline = [
    dict(type='LoadRemoteSensingImage'),
    dict(type='Resize', scale=(256, 256)),
    dict(type='TokenizeCaptions', tokenizer=tokenizer),
    dict(type='PackRetrievalInputs'),
]

train_dataloader = dict(batch_size=100, dataset=dict(pipeline=train_pipeline))  # the released code; the paper says 128
val_dataloader = test_dataloader = dict(batch_size=100, dataset=dict(pipeline=test_pipeline))
