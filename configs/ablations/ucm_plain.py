"""ucm with neither DAPN nor OSFCM: the plain two-tower model."""

_base_ = 'ucm_no_dapn.py'

model = dict(head=dict(_delete_=True, type='ContrastiveHead', alignment=dict(type='ContrastiveLoss', temperature=0.01)))
