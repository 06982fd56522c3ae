"""As vitl14_finetune_rsitmd.py, on RSICD."""

_base_ = 'vitl14_finetune_rsitmd.py'

source = dict(type='RSICD', data_root='data/RSICD')
train_dataloader = val_dataloader = test_dataloader = dict(dataset=source)
