"""Trial: equal captions of other images are negatives; the rest as in osdpm_rsicd150_resnet50_minilm.py."""

_base_ = '../osdpm_rsicd150_resnet50_minilm.py'

model = dict(head=dict(alignment=dict(type='ContrastiveLoss', identical_captions='negative')))
