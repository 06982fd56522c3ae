"""ucm_resnet50_minilm without DAPN: the global vector alone, OSFCM kept."""

_base_ = '../osdpm_ucm_resnet50_minilm.py'

model = dict(neck=dict(_delete_=True, type='GlobalNeck', embed_dims=512, in_channels=2048))
