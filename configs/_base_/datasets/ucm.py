_base_ = 'retrieval.py'

source = dict(type='UCMCaptions', data_root='data/UCM_captions')
train_dataloader = val_dataloader = test_dataloader = dict(dataset=source)
