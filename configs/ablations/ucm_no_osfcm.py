"""ucm without OSFCM: DAPN kept, alignment alone."""

_base_ = '../osdpm_ucm.py'

model = dict(head=dict(_delete_=True, type='ContrastiveHead', alignment=dict(type='ContrastiveLoss', temperature=0.01)))
