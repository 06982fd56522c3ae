"""SCAN, words attend to regions, on the frozen ResNet-50, whose cells a linear layer brings to the words."""

_base_ = ['../scan_t2i.py', 'tower.py']

model = dict(
    image_tower=_base_.resnet50,
    data_preprocessor=_base_.pixels,
    neck=dict(type='RegionNeck', in_channels=2048, embed_dims=512),
)
