_base_ = ['../../_base_/models/comparison/resnet50/amfmn_sim.py', '../../_base_/comparison/resnet50_ucm.py']
