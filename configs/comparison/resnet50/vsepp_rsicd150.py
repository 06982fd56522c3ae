_base_ = ['../../_base_/models/comparison/resnet50/vsepp.py', '../../_base_/comparison/resnet50_rsicd150.py']
