_base_ = 'comparison.py'

source = dict(type='RSICD', data_root='data/RSICD')
train_dataloader = dict(dataset=source)
val_dataloader = dict(dataset=source)
test_dataloader = dict(dataset=source)
