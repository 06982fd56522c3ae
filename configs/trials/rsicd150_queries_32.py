"""Trial: 32 object queries, not 16; the rest as in osdpm_rsicd150_resnet50_minilm.py."""

_base_ = '../osdpm_rsicd150_resnet50_minilm.py'

model = dict(neck=dict(num_queries=32))
