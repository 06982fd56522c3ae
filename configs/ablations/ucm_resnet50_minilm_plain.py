"""ucm_resnet50_minilm with neither DAPN nor OSFCM: the plain two-tower model."""

_base_ = 'ucm_resnet50_minilm_no_dapn.py'

model = dict(head=dict(_delete_=True, type='ContrastiveHead'))
