_base_ = ['_base_/datasets/ucm.py', '_base_/models/osdpm_clip.py', '_base_/regimes/frozen.py']
