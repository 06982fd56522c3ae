_base_ = [
    '../../_base_/models/comparison/resnet50/osdpm_gru.py',
    '../../_base_/datasets/comparison_resnet50_ucm.py',
    '../../_base_/schedules/adamw_150e.py',
    '../../_base_/ema_patience_runtime.py',
]

model = dict(
    image_tower=dict(init_cfg=dict(type='Pretrained', checkpoint='weights/compressed_resnet50_ucm.pth')),
    neck=dict(drop_path=0.5, object_dropout=0.5),
)
train_pipeline = [*_base_.train_pipeline[:-3], dict(type='CountObjects'), *_base_.train_pipeline[-3:]]
train_dataloader = dict(batch_size=128, dataset=dict(pipeline=train_pipeline))  # ours: not tuned
