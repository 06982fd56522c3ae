"""Pipelines and loaders that all sets share: CLIP's tokens, 224 px. A set's own file names its type and folder.

Pixels are resized as open_clip resizes them, to the last bit: Pillow's bicubic, which has an antialias; the shorter
edge to 224 px, then the centre, so that shapes stay true and the ends of a long image are cut off. To see the whole of
such images, squeezed, put ``dict(type='Resize', scale=(224, 224), interpolation='bicubic', backend='pillow')`` in the
place of the two steps.
"""

_base_ = 'loaders.py'

image_size = 224
tokenizer = dict(type='OpenCLIPTokenizer', model='ViT-B-32')

train_pipeline = [
    dict(type='LoadRemoteSensingImage'),
    dict(
        type='mmpretrain.RandomResizedCrop',
        scale=image_size,
        crop_ratio_range=(0.5, 1.0),
        interpolation='bicubic',
        backend='pillow',
    ),
    dict(type='RandomFlip', prob=[0.25, 0.25], direction=['horizontal', 'vertical']),
    dict(type='RandomRotate90'),
    dict(type='CountObjects'),
    dict(type='SampleCaptions', num=1),
    dict(type='TokenizeCaptions', tokenizer=tokenizer),
    dict(type='PackRetrievalInputs'),
]
test_pipeline = [
    dict(type='LoadRemoteSensingImage'),
    dict(type='mmpretrain.ResizeEdge', scale=image_size, edge='short', interpolation='bicubic', backend='pillow'),
    dict(type='CenterCrop', crop_size=image_size),
    dict(type='TokenizeCaptions', tokenizer=tokenizer),
    dict(type='PackRetrievalInputs'),
]

train_dataloader = dict(batch_size=256, dataset=dict(pipeline=train_pipeline))  # ours: not tuned
val_dataloader = test_dataloader = dict(batch_size=64, dataset=dict(pipeline=test_pipeline))
