"""Trial: twice the learning rate; the rest as in osdpm_rsicd150_resnet50_minilm.py."""

_base_ = '../osdpm_rsicd150_resnet50_minilm.py'

optim_wrapper = dict(optimizer=dict(lr=1e-3))
