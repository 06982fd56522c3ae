"""AMFMN, the image gates the caption, on the frozen ResNet-50; fine and coarse are its two maps on one grid."""

_base_ = ['../amfmn_soft.py', 'tower.py']

model = dict(
    image_tower=_base_.resnet50,
    data_preprocessor=_base_.pixels,
    neck=dict(in_channels=(1024, 2048), grid=7, low_stride=1),
)
