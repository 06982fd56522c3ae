"""scenes with neither DAPN nor OSFCM: the plain two-tower model."""

_base_ = 'scenes_no_dapn.py'

model = dict(head=dict(_delete_=True, type='ContrastiveHead'))
