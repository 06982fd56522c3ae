"""Pipelines and loaders that all sets share: CLIP's tokens, 224 px. A set's own file names its type and folder."""

_base_ = 'loaders.py'

image_size = 224
tokenizer = dict(type='OpenCLIPTokenizer', model='ViT-B-32')

train_pipeline = [
    dict(type='LoadRemoteSensingImage'),
    dict(type='mmpretrain.RandomResizedCrop', scale=image_size, crop_ratio_range=(0.5, 1.0), interpolation='bicubic'),
    dict(type='RandomFlip', prob=[0.25, 0.25], direction=['horizontal', 'vertical']),
    dict(type='RandomRotate90'),
    dict(type='CountObjects'),
    dict(type='SampleCaptions', num=1),
    dict(type='TokenizeCaptions', tokenizer=tokenizer),
    dict(type='PackRetrievalInputs'),
]
test_pipeline = [
    dict(type='LoadRemoteSensingImage'),
    dict(type='Resize', scale=(image_size, image_size), interpolation='bicubic'),
    dict(type='TokenizeCaptions', tokenizer=tokenizer),
    dict(type='PackRetrievalInputs'),
]

train_dataloader = dict(batch_size=256, dataset=dict(pipeline=train_pipeline))  # ours: not tuned
val_dataloader = test_dataloader = dict(batch_size=64, dataset=dict(pipeline=test_pipeline))
