"""ucm without DAPN: the global vector alone, OSFCM kept."""

_base_ = '../osdpm_ucm.py'

model = dict(neck=dict(_delete_=True, type='GlobalNeck', embed_dims=512, adapter=True))
