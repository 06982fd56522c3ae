_base_ = 'comparison.py'

source = dict(type='RSITMD', data_root='data/RSITMD')
train_dataloader = val_dataloader = test_dataloader = dict(dataset=source)
