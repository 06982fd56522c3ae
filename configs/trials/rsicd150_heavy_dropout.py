"""Trial: dropout 0.5, not 0.3; the rest as in osdpm_rsicd150_resnet50_minilm.py."""

_base_ = '../osdpm_rsicd150_resnet50_minilm.py'

model = dict(neck=dict(dropout=0.5), text_neck=dict(dropout=0.5))
