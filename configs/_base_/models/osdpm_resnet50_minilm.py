"""OSDPM on an ImageNet ResNet-50 and a MiniLM sentence encoder, both frozen.

`python tools/get_weights.py weights` fetches the two, `python tools/fit_compression.py CONFIG` fits the components.
"""

embed_dims = 1024  # ours, like all widths here: RSICD val
model = dict(
    type='ImageTextRetriever',
    test_views=4,
    data_preprocessor=dict(
        type='RetrievalDataPreprocessor', mean=(103.939, 116.779, 123.68), std=(1.0, 1.0, 1.0), channel_order='bgr'
    ),
    image_tower=dict(
        type='CompressedTower',
        tower=dict(
            type='mmpretrain.ResNet',
            depth=50,
            style='caffe',
            out_indices=(2, 3),
            norm_eval=True,
            init_cfg=dict(type='Pretrained', checkpoint='weights/resnet50_caffe.pth'),
        ),
        in_channels=(1024, 2048),
        channels=(256, 256),
        pooled_channels=1024,
    ),
    text_tower=dict(type='HFTextTower', name_or_path='weights/all-MiniLM-L6-v2', frozen=True),
    neck=dict(
        type='DAPN',
        in_channels=(256, 256),
        embed_dims=embed_dims,
        pooled_channels=1024,
        channels=256,
        grid='coarsest',
        scales=(1, 3),
        gate_init=1.0,
        hidden_channels=2048,
        dropout=0.3,
    ),
    text_neck=dict(type='TextProjection', in_channels=384, embed_dims=embed_dims, hidden_channels=2048, dropout=0.3),
    head=dict(
        type='OSFCMHead', tokenizer=dict(type='HFTokenizer', name_or_path='weights/all-MiniLM-L6-v2', context_length=48)
    ),
)
