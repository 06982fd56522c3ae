_base_ = 'comparison.py'

source = dict(type='RSITMD', data_root='data/RSITMD')
train_dataloader = dict(dataset=source)
val_dataloader = dict(dataset=source)
test_dataloader = dict(dataset=source)
