_base_ = ['../../_base_/models/comparison/resnet50/lw_mcr_d.py', '../../_base_/comparison/resnet50_ucm.py']

# the teacher's best checkpoint: copy or link it here, or name it with --cfg-options model.teacher.checkpoint=FILE
model = dict(
    teacher=dict(
        config='configs/comparison/resnet50/amfmn_soft_ucm.py',
        checkpoint='work_dirs/resnet50/amfmn_soft_ucm/teacher.pth',
    )
)
