"""rsitmd without OSFCM: DAPN kept, alignment alone. Table 3, row 2 of the set."""

_base_ = '../osdpm_rsitmd.py'

model = dict(head=dict(_delete_=True, type='ContrastiveHead', alignment=dict(type='ContrastiveLoss', temperature=0.01)))
