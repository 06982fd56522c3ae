_base_ = ['../../_base_/models/comparison/resnet50/amfmn_fusion.py', '../../_base_/comparison/resnet50_ucm.py']

optim_wrapper = dict(optimizer=dict(lr=2e-4))  # ours: as for RSITMD, which is small as well
