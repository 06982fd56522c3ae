"""RSICD at 150 px (the 8973 images of train and val that are also in AID) with towers that need no model hub:

python tools/get_weights.py weights
python tools/fit_compression.py configs/osdpm_rsicd150_resnet50_minilm.py

These images have no test split: val chooses the checkpoint and is what is reported.
"""

_base_ = [
    '_base_/datasets/rsicd.py',
    '_base_/models/osdpm_resnet50_minilm.py',
    '_base_/schedules/adamw_15e.py',
    '_base_/default_runtime.py',
]
model = dict(image_tower=dict(init_cfg=dict(type='Pretrained', checkpoint='weights/compressed_resnet50_rsicd150.pth')))
image_size = 224
tokenizer = dict(type='HFTokenizer', name_or_path='weights/all-MiniLM-L6-v2', context_length=48)

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmpretrain.RandomResizedCrop', scale=image_size, crop_ratio_range=(0.5, 1.0), interpolation='bicubic'),
    dict(type='RandomFlip', prob=[0.25, 0.25], direction=['horizontal', 'vertical']),
    dict(type='RandomRotate90'),
    dict(type='CountObjects'),
    dict(type='SampleCaptions', num=1),
    dict(type='TokenizeCaptions', tokenizer=tokenizer),
    dict(type='PackRetrievalInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(image_size, image_size), interpolation='bicubic'),
    dict(type='TokenizeCaptions', tokenizer=tokenizer),
    dict(type='PackRetrievalInputs'),
]

train_dataloader = dict(num_workers=2, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(num_workers=2, dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(num_workers=2, dataset=dict(split='val', pipeline=test_pipeline))

custom_hooks = [
    dict(type='CheckpointCompatibilityHook'),
    dict(type='EpochSeedHook'),
    dict(type='ObjectFrequencyHook'),
    dict(type='EMAHook', ema_type='ExponentialMovingAverage', momentum=0.01),  # ours: RSICD val
]
select_on_test = True  # there is no test split: numbers are of val, on which the epoch is chosen
