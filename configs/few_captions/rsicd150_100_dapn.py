"""RSICD at 150 px, captions alone: DAPN without OSFCM."""

_base_ = '../_base_/few_captions/rsicd150.py'

model = dict(head=dict(_delete_=True, type='ContrastiveHead'))
