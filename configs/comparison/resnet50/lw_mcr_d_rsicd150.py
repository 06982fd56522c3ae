"""LW-MCR with a teacher: its text side and losses, but the frozen ResNet-50 in place of its light image tower."""

_base_ = ['../../_base_/models/comparison/lw_mcr_d.py', '_base_/rsicd150.py']

# the teacher's best checkpoint: copy or link it here, or name it with --cfg-options model.teacher.checkpoint=FILE
model = dict(
    image_tower=dict(_delete_=True, **_base_.resnet50),
    data_preprocessor=_base_.pixels,
    neck=dict(in_channels=2048),
    teacher=dict(
        config='configs/comparison/resnet50/amfmn_soft_rsicd150.py',
        checkpoint='work_dirs/resnet50/amfmn_soft_rsicd150/teacher.pth',
    ),
)
