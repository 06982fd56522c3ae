"""rsicd150_resnet50_minilm without OSFCM: DAPN kept, alignment alone."""

_base_ = '../osdpm_rsicd150_resnet50_minilm.py'

model = dict(head=dict(_delete_=True, type='ContrastiveHead'))
