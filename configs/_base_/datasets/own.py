"""Your own images and one file of captions, see osdpm_plugin/datasets/README.md for its layouts."""

_base_ = 'retrieval.py'

data_root = 'data/own'
ann_file = 'captions.csv'
# a file that names no splits is cut: a tenth of its images is val, another test
source = dict(
    type='CaptionDataset', data_root=data_root, ann_file=ann_file, split_convention='own', blank_captions='drop'
)
train_dataloader = dict(batch_size=64, drop_last=False, dataset=source)  # ours: for 500 to 50,000 images
val_dataloader = test_dataloader = dict(dataset=source)
