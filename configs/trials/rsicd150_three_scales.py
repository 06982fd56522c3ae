"""Trial: saliency on 1, 3 and 5 cells; the rest as in osdpm_rsicd150_resnet50_minilm.py."""

_base_ = '../osdpm_rsicd150_resnet50_minilm.py'

model = dict(neck=dict(scales=(1, 3, 5)))
