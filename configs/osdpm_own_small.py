"""The same on the small towers of the quick start: no weights to fetch, minutes on a CPU; words are learned anew."""

_base_ = 'osdpm_scenes.py'

data_root = 'data/own'
ann_file = 'captions.csv'
source = dict(
    _delete_=True,
    type='CaptionDataset',
    data_root=data_root,
    ann_file=ann_file,
    split_convention='own',
    blank_captions='drop',
)
train_dataloader = dict(
    batch_size=64, drop_last=False, dataset=dict(split='train', pipeline=_base_.train_pipeline, **source)
)
val_dataloader = dict(dataset=dict(split='val', test_mode=True, pipeline=_base_.test_pipeline, **source))
test_dataloader = dict(dataset=dict(split='test', test_mode=True, pipeline=_base_.test_pipeline, **source))
