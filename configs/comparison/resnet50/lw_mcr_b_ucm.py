_base_ = ['../../_base_/models/comparison/resnet50/lw_mcr_b.py', '../../_base_/comparison/resnet50_ucm.py']
