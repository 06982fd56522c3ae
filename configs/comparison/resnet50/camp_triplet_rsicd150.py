_base_ = ['../../_base_/models/comparison/resnet50/camp_triplet.py', '../../_base_/comparison/resnet50_rsicd150.py']

train_cfg = dict(val_interval=10)  # every other pass, since scoring all pairs takes a quarter of the time of a pass
