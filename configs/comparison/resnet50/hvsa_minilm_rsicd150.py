_base_ = [
    '../../_base_/models/comparison/resnet50/hvsa_minilm.py',
    '../../_base_/comparison/resnet50_hvsa_minilm_rsicd150.py',
]
