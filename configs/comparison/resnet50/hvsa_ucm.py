_base_ = ['../../_base_/models/comparison/resnet50/hvsa.py', '../../_base_/comparison/resnet50_hvsa_ucm.py']

optim_wrapper = dict(optimizer=dict(lr=5e-4))  # ours: as for RSITMD, which is small as well
