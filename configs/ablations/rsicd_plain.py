"""rsicd with neither DAPN nor OSFCM: the plain two-tower model. Table 3, row 1 of the set."""

_base_ = '../osdpm_rsicd.py'

model = dict(
    neck=dict(_delete_=True, type='GlobalNeck', embed_dims=512, adapter=True),
    head=dict(_delete_=True, type='ContrastiveHead', alignment=dict(type='ContrastiveLoss', temperature=0.01)),
)
