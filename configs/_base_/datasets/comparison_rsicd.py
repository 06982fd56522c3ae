_base_ = 'comparison.py'

source = dict(type='RSICD', data_root='data/RSICD')
train_dataloader = val_dataloader = test_dataloader = dict(dataset=source)
