"""UCM-Captions, captions alone: DAPN without OSFCM."""

_base_ = '../_base_/few_captions/ucm.py'

model = dict(head=dict(_delete_=True, type='ContrastiveHead'))
