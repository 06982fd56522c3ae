"""rsicd with neither DAPN nor OSFCM: the plain two-tower model. Table 3, row 1 of the set."""

_base_ = 'rsicd_no_dapn.py'

model = dict(head=dict(_delete_=True, type='ContrastiveHead', alignment=dict(type='ContrastiveLoss', temperature=0.01)))
