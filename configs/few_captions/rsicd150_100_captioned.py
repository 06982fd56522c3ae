"""RSICD at 150 px: the plain two-tower model and OSFCM on the images that have captions."""

_base_ = '../_base_/few_captions/rsicd150.py'

model = dict(neck=dict(_delete_=True, **_base_.plain_neck))
