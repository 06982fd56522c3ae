"""Trial: DAPN without spatial-channel cooperative attention; the rest as in osdpm_rsicd150_resnet50_minilm.py."""

_base_ = '../osdpm_rsicd150_resnet50_minilm.py'

model = dict(neck=dict(cooperative=False))
