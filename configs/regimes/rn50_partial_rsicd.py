"""As rn50_partial_rsitmd.py, on RSICD."""

_base_ = 'rn50_partial_rsitmd.py'

source = dict(type='RSICD', data_root='data/RSICD')
train_dataloader = val_dataloader = test_dataloader = dict(dataset=source)
