"""LW-MCR with a teacher: its text side and losses, but the frozen ResNet-50 in place of its light image tower."""

_base_ = ['../lw_mcr_d.py', 'tower.py']

model = dict(
    image_tower=dict(_delete_=True, **_base_.resnet50), data_preprocessor=_base_.pixels, neck=dict(in_channels=2048)
)
