"""CAMP on binary cross entropy, on the frozen ResNet-50."""

_base_ = ['../camp_bce.py', 'tower.py']

model = dict(image_tower=_base_.resnet50, data_preprocessor=_base_.pixels, neck=dict(in_channels=2048))
