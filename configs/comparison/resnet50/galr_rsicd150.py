_base_ = ['../../_base_/models/comparison/resnet50/galr.py', '../../_base_/comparison/resnet50_rsicd150.py']

optim_wrapper = dict(optimizer=dict(lr=2e-4))  # the released settings, with 70 epochs
