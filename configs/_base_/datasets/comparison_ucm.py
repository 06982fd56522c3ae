_base_ = 'comparison.py'

source = dict(type='UCMCaptions', data_root='data/UCM_captions')
train_dataloader = dict(dataset=source)
val_dataloader = dict(dataset=source)
test_dataloader = dict(dataset=source)
