"""scenes with neither DAPN nor OSFCM: the plain two-tower model."""

_base_ = '../osdpm_scenes.py'

model = dict(
    neck=dict(_delete_=True, type='GlobalNeck', embed_dims=256, in_channels=256, hidden_channels=512),
    head=dict(_delete_=True, type='ContrastiveHead'),
)
