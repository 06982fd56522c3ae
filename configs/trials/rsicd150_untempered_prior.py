"""Trial: priors by plain counts, rare objects not raised; the rest as in osdpm_rsicd150_resnet50_minilm.py."""

_base_ = '../osdpm_rsicd150_resnet50_minilm.py'

model = dict(head=dict(tempering=0.0))
