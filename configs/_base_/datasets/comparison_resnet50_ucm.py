"""UCM-Captions: 1680 images to train on, val chooses the checkpoint, test is reported."""

_base_ = 'comparison_resnet50.py'

source = dict(type='UCMCaptions', data_root='data/UCM_captions')
train_dataloader = val_dataloader = test_dataloader = dict(dataset=source)
