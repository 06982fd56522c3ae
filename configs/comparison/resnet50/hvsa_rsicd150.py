_base_ = ['../../_base_/models/comparison/resnet50/hvsa.py', '../../_base_/comparison/resnet50_hvsa_rsicd150.py']
