"""RSICD at 150 px, those of its images that are in AID too, without a test split: a tenth of train chooses the
checkpoint, and val is reported.
"""

_base_ = 'comparison_resnet50.py'

source = dict(type='RSICD', data_root='data/RSICD', split_convention='selection')
train_dataloader = dict(dataset=source)
val_dataloader = dict(dataset=dict(split='selection', **source))
test_dataloader = dict(dataset=dict(split='val', **source))
