"""rsicd150_100_dapn with captions of 10 % of the training images; the others are left out."""

_base_ = 'rsicd150_100_dapn.py'

train_dataloader = dict(dataset=dict(caption_fraction=0.1))
