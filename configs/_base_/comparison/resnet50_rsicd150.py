"""RSICD at 150 px, those of its images that are in AID too: train and val alone, so val chooses the checkpoint and is
reported as well.
"""

_base_ = ['../datasets/comparison_resnet50.py', '../schedules/adam_15e.py', '../comparison_runtime.py']

source = dict(type='RSICD', data_root='data/RSICD')
train_dataloader = val_dataloader = dict(dataset=source)
test_dataloader = dict(dataset=dict(split='val', **source))
select_on_test = True
