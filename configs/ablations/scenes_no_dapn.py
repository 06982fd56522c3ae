"""scenes without DAPN: the global vector alone, OSFCM kept."""

_base_ = '../osdpm_scenes.py'

model = dict(neck=dict(_delete_=True, type='GlobalNeck', embed_dims=256, in_channels=256, hidden_channels=512))
