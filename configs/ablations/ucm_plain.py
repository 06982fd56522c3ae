"""ucm with neither DAPN nor OSFCM: the plain two-tower model."""

_base_ = '../osdpm_ucm.py'

model = dict(
    neck=dict(_delete_=True, type='GlobalNeck', embed_dims=512, adapter=True),
    head=dict(_delete_=True, type='ContrastiveHead', alignment=dict(type='ContrastiveLoss', temperature=0.01)),
)
