"""UCM-Captions, captions alone: the plain two-tower model."""

_base_ = 'ucm_100_captioned.py'

model = dict(head=dict(_delete_=True, type='ContrastiveHead'))
