"""CAMP on the hinge loss, on the frozen ResNet-50."""

_base_ = ['../../_base_/models/comparison/camp_triplet.py', '_base_/rsicd150.py']

model = dict(
    image_tower=_base_.resnet50,
    data_preprocessor=_base_.pixels,
    neck=dict(in_channels=2048),
)
