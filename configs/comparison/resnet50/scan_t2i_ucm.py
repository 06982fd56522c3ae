_base_ = ['../../_base_/models/comparison/resnet50/scan_t2i.py', '../../_base_/comparison/resnet50_ucm.py']
