"""An mmpretrain backbone as image tower: OSDPM on Swin-T and BERT, fine-tuned, the towers of the PIR line."""

_base_ = ['../_base_/datasets/rsitmd.py', '../_base_/schedules/adamw_30e.py', '../_base_/default_runtime.py']

bert = 'bert-base-uncased'
tokenizer = dict(type='HFTokenizer', name_or_path=bert, context_length=48)
embed_dims = 512

model = dict(
    type='ImageTextRetriever',
    data_preprocessor=dict(
        type='RetrievalDataPreprocessor',
        mean=(123.675, 116.28, 103.53),
        std=(58.395, 57.12, 57.375),
        channel_order='rgb',
    ),
    image_tower=dict(
        type='mmpretrain.SwinTransformer',
        arch='tiny',
        img_size=_base_.image_size,
        out_indices=(2, 3),
        init_cfg=dict(
            type='Pretrained',
            checkpoint='https://download.openmmlab.com/mmclassification/v0/swin-transformer/'
            'swin_tiny_224_b16x64_300e_imagenet_20210616_090925-66df6be6.pth',
            prefix='backbone',
        ),
    ),
    text_tower=dict(type='HFTextTower', name_or_path=bert),
    neck=dict(type='DAPN', in_channels=(384, 768), embed_dims=embed_dims, pool_channels=768, gate_init=0.5),
    text_neck=dict(type='TextProjection', in_channels=768, embed_dims=embed_dims),
    head=dict(type='OSFCMHead', tokenizer=tokenizer),
)

# towers of ImageNet: OpenCV's bicubic without antialias, images that are not square squeezed
train_pipeline = [
    dict(type='LoadRemoteSensingImage'),
    dict(
        type='mmpretrain.RandomResizedCrop',
        scale=_base_.image_size,
        crop_ratio_range=(0.5, 1.0),
        interpolation='bicubic',
    ),
    *_base_.train_pipeline[2:-2],
    dict(type='TokenizeCaptions', tokenizer=tokenizer),
    dict(type='PackRetrievalInputs'),
]
test_pipeline = [
    dict(type='LoadRemoteSensingImage'),
    dict(type='Resize', scale=(_base_.image_size, _base_.image_size), interpolation='bicubic'),
    dict(type='TokenizeCaptions', tokenizer=tokenizer),
    dict(type='PackRetrievalInputs'),
]

train_dataloader = dict(batch_size=64, dataset=dict(pipeline=train_pipeline))
val_dataloader = test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
optim_wrapper = dict(
    optimizer=dict(lr=1e-4),  # ours: a tenth of it for the towers
    paramwise_cfg=dict(custom_keys=dict(image_tower=dict(lr_mult=0.1), text_tower=dict(lr_mult=0.1))),
)
auto_scale_lr = dict(base_batch_size=64)
