"""scenes without OSFCM: DAPN kept, alignment alone."""

_base_ = '../osdpm_scenes.py'

model = dict(head=dict(_delete_=True, type='ContrastiveHead'))
