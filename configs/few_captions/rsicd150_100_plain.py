"""RSICD at 150 px, captions alone: the plain two-tower model."""

_base_ = 'rsicd150_100_captioned.py'

model = dict(head=dict(_delete_=True, type='ContrastiveHead'))
