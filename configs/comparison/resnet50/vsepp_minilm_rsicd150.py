_base_ = [
    '../../_base_/models/comparison/resnet50/vsepp_minilm.py',
    '../../_base_/comparison/resnet50_minilm_rsicd150.py',
]
