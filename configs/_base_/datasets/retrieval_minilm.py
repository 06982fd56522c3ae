"""The same sets with the word pieces of MiniLM, for towers of ImageNet.

Pixels are resized by OpenCV's bicubic, which has no antialias, and images that are not square are squeezed; so the
published numbers of these configs were made.
"""

_base_ = 'retrieval.py'

tokenizer = dict(type='HFTokenizer', name_or_path='weights/all-MiniLM-L6-v2', context_length=48)

image_size = 224
train_pipeline = [
    dict(type='LoadRemoteSensingImage'),
    dict(type='mmpretrain.RandomResizedCrop', scale=image_size, crop_ratio_range=(0.5, 1.0), interpolation='bicubic'),
    dict(type='RandomFlip', prob=[0.25, 0.25], direction=['horizontal', 'vertical']),
    dict(type='RandomRotate90'),
    dict(type='CountObjects'),
    dict(type='SampleCaptions', num=5),  # ours: RSICD val, five captions of an image
    dict(type='TokenizeCaptions', tokenizer=tokenizer),
    dict(type='PackRetrievalInputs'),
]
test_pipeline = [
    dict(type='LoadRemoteSensingImage'),
    dict(type='Resize', scale=(image_size, image_size), interpolation='bicubic'),
    dict(type='TokenizeCaptions', tokenizer=tokenizer),
    dict(type='PackRetrievalInputs'),
]

train_dataloader = dict(num_workers=2, dataset=dict(pipeline=train_pipeline))
val_dataloader = test_dataloader = dict(num_workers=2, dataset=dict(pipeline=test_pipeline))
