"""Your own images and captions on frozen CLIP ViT-B/32: ``--cfg-options data_root=my_data ann_file=captions.csv``."""

_base_ = ['_base_/datasets/own.py', '_base_/models/osdpm_clip.py', '_base_/regimes/frozen.py']
