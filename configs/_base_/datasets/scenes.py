"""Procedural scenes at 64 px: drawn on first use."""

_base_ = 'retrieval.py'

image_size = 64
tokenizer = dict(type='OpenCLIPTokenizer', model='ViT-B-32', context_length=48)

train_pipeline = [
    dict(type='LoadRemoteSensingImage'),
    dict(type='mmpretrain.RandomResizedCrop', scale=image_size, crop_ratio_range=(0.8, 1.0)),  # ours: keep counts true
    dict(type='RandomFlip', prob=[0.25, 0.25], direction=['horizontal', 'vertical']),
    dict(type='RandomRotate90'),
    dict(type='CountObjects'),
    dict(type='SampleCaptions', num=1),
    dict(type='TokenizeCaptions', tokenizer=tokenizer),
    dict(type='PackRetrievalInputs'),
]
test_pipeline = [
    dict(type='LoadRemoteSensingImage'),
    dict(type='Resize', scale=(image_size, image_size), interpolation='area'),
    dict(type='TokenizeCaptions', tokenizer=tokenizer),
    dict(type='PackRetrievalInputs'),
]

source = dict(type='ProceduralScenes', data_root='data/scenes', num_train=2000, num_val=200, num_test=200, seed=0)
train_dataloader = dict(batch_size=100, num_workers=2, dataset=dict(pipeline=train_pipeline, **source))
val_dataloader = test_dataloader = dict(num_workers=1, dataset=dict(pipeline=test_pipeline, **source))
