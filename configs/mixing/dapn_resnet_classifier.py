"""DAPN as the neck of an mmpretrain ImageClassifier: scene classification on folders
`data/UCMerced/{train,val}/<class>/`.
"""

_base_ = ['../_base_/schedules/adamw_30e.py', '../_base_/default_runtime.py']
default_scope = 'mmpretrain'

num_classes = 21
model = dict(
    type='ImageClassifier',
    data_preprocessor=dict(
        num_classes=num_classes, mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True
    ),
    backbone=dict(
        type='ResNet',
        depth=50,
        out_indices=(2, 3),
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet50'),
    ),
    neck=dict(type='DAPN', in_channels=(1024, 2048), embed_dims=512, pool_channels=2048, gate_init=0.5),
    head=dict(type='LinearClsHead', num_classes=num_classes, in_channels=512, loss=dict(type='CrossEntropyLoss')),
)

train_pipeline = [
    dict(type='LoadRemoteSensingImage'),
    dict(type='RandomResizedCrop', scale=224, crop_ratio_range=(0.5, 1.0)),
    dict(type='RandomFlip', prob=[0.25, 0.25], direction=['horizontal', 'vertical']),
    dict(type='RandomRotate90'),
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='LoadRemoteSensingImage'),
    dict(type='Resize', scale=(224, 224)),  # OpenCV's bilinear without antialias; squeezed if not square
    dict(type='PackInputs'),
]
train_dataloader = dict(
    batch_size=64,
    num_workers=4,
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(type='CustomDataset', data_root='data/UCMerced', data_prefix='train', pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=64,
    num_workers=4,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='default_collate'),
    dataset=dict(type='CustomDataset', data_root='data/UCMerced', data_prefix='val', pipeline=test_pipeline),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='Accuracy', topk=(1,))
test_evaluator = val_evaluator
default_hooks = dict(checkpoint=dict(save_best='accuracy/top1'))
auto_scale_lr = dict(base_batch_size=64)
