"""UCM-Captions: 1680 images to train on, val chooses the checkpoint, test is reported."""

_base_ = ['../datasets/comparison_resnet50.py', '../schedules/adam_30e.py', '../comparison_runtime.py']

source = dict(type='UCMCaptions', data_root='data/UCM_captions')
train_dataloader = val_dataloader = test_dataloader = dict(dataset=source)
