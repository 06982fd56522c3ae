"""ucm_100_dapn with captions of 30 % of the training images; the others are left out."""

_base_ = 'ucm_100_dapn.py'

train_dataloader = dict(dataset=dict(caption_fraction=0.3))
