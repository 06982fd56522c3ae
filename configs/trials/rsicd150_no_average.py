"""Trial: no moving average of the weights; the rest as in osdpm_rsicd150_resnet50_minilm.py."""

_base_ = '../osdpm_rsicd150_resnet50_minilm.py'

custom_hooks = [hook for hook in _base_.custom_hooks if hook['type'] != 'EMAHook']
