_base_ = ['../../_base_/models/comparison/resnet50/galr.py', '../../_base_/comparison/resnet50_ucm.py']

optim_wrapper = dict(optimizer=dict(lr=2e-4))  # ours: as for the other sets
