"""MTFN on the frozen ResNet-50."""

_base_ = ['../mtfn.py', 'tower.py']

model = dict(image_tower=_base_.resnet50, data_preprocessor=_base_.pixels, neck=dict(in_channels=2048))
