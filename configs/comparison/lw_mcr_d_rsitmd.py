_base_ = ['../_base_/models/comparison/lw_mcr_d.py', '../_base_/comparison/published_rsitmd.py']

# the teacher's best checkpoint: copy or link it here, or name it with --cfg-options model.teacher.checkpoint=FILE
model = dict(
    teacher=dict(config='configs/comparison/amfmn_soft_rsitmd.py', checkpoint='work_dirs/amfmn_soft_rsitmd/teacher.pth')
)
