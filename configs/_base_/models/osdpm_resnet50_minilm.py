"""OSDPM on an ImageNet ResNet-50 and a MiniLM sentence encoder, both frozen: `python tools/get_weights.py weights`."""

embed_dims = 512
model = dict(
    type='ImageTextRetriever',
    data_preprocessor=dict(
        type='RetrievalDataPreprocessor', mean=(103.939, 116.779, 123.68), std=(1.0, 1.0, 1.0), channel_order='bgr'
    ),
    image_tower=dict(
        type='mmpretrain.ResNet',
        depth=50,
        style='caffe',
        out_indices=(2, 3),
        frozen_stages=4,
        norm_eval=True,
        init_cfg=dict(type='Pretrained', checkpoint='weights/resnet50_caffe.pth'),
    ),
    text_tower=dict(type='HFTextTower', name_or_path='weights/all-MiniLM-L6-v2', frozen=True),
    neck=dict(
        type='DAPN',
        in_channels=(1024, 2048),
        embed_dims=embed_dims,
        pool_channels=2048,
        grid='coarsest',
        channels=256,
        gate_init=0.5,
    ),
    text_neck=dict(type='TextProjection', in_channels=384, embed_dims=embed_dims),
    head=dict(
        type='OSFCMHead', tokenizer=dict(type='HFTokenizer', name_or_path='weights/all-MiniLM-L6-v2', context_length=48)
    ),
)
