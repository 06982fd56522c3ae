"""RSICD at 150 px, those of its images that are in AID too: train and val alone, so val chooses the checkpoint and is
reported as well.
"""

_base_ = ['data.py', 'resnet50.py', 'adam_15e.py', '../../../_base_/comparison_runtime.py']

source = dict(type='RSICD', data_root='data/RSICD')
train_dataloader = dict(dataset=source)
val_dataloader = dict(dataset=source)
test_dataloader = dict(dataset=dict(split='val', **source))
select_on_test = True
