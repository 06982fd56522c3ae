"""OSDPM on an ImageNet ResNet-50 whose last stage is trained, and a MiniLM whose last two of six layers are.

`python tools/get_weights.py weights` fetches the two. What comes before is frozen, so that
`tools/cache_features.py CONFIG --out FOLDER` runs it once.
"""

_base_ = 'osdpm_resnet50_minilm.py'

model = dict(
    image_tower=dict(
        _delete_=True,
        type='mmpretrain.ResNet',
        depth=50,
        style='caffe',
        out_indices=(2, 3),
        frozen_stages=3,
        norm_eval=True,
        init_cfg=dict(type='Pretrained', checkpoint='weights/resnet50_caffe.pth'),
    ),
    text_tower=dict(frozen=False, trainable_layers=2),
    neck=dict(in_channels=(1024, 2048), pooled_channels=None, pool_channels=2048),
)
