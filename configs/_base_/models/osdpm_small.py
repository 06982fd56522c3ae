"""A small OSDPM that trains from nothing in minutes on two CPU cores."""

embed_dims = 256
model = dict(
    type='ImageTextRetriever',
    data_preprocessor=dict(
        type='RetrievalDataPreprocessor',
        mean=(123.675, 116.28, 103.53),
        std=(58.395, 57.12, 57.375),
        channel_order='rgb',
    ),
    image_tower=dict(type='mmpretrain.ResNet', depth=18, base_channels=32, out_indices=(2, 3)),
    text_tower=dict(
        type='OpenCLIPTextTower',
        model=dict(
            embed_dim=embed_dims,
            vision_cfg=dict(image_size=32, layers=1, width=64, patch_size=32),  # not built: the text half alone is used
            text_cfg=dict(context_length=48, vocab_size=49408, width=192, heads=4, layers=2),
        ),
    ),
    neck=dict(
        type='DAPN',
        in_channels=(128, 256),
        embed_dims=embed_dims,
        pool_channels=256,
        channels=128,
        gate_init=0.5,
        hidden_channels=512,
    ),
    text_neck=dict(type='TextProjection', embed_dims=embed_dims),
    head=dict(type='OSFCMHead', tokenizer=dict(type='OpenCLIPTokenizer', model='ViT-B-32', context_length=48)),
)
