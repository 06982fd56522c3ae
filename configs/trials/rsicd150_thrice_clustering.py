"""Trial: three times the weight of the clustering loss; the rest as in osdpm_rsicd150_resnet50_minilm.py."""

_base_ = '../osdpm_rsicd150_resnet50_minilm.py'

model = dict(head=dict(cluster_weight=0.3))
