"""Trial: saliency on single cells alone; the rest as in osdpm_rsicd150_resnet50_minilm.py."""

_base_ = '../osdpm_rsicd150_resnet50_minilm.py'

model = dict(neck=dict(scales=(1,)))
