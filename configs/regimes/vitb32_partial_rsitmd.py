"""RSITMD on CLIP ViT-B/32: the last 3 of the 12 blocks of both towers are trained."""

_base_ = ['../_base_/datasets/rsitmd.py', '../_base_/models/osdpm_clip.py', '../_base_/regimes/partial.py']

part = dict(frozen=False, trainable_blocks=3)  # ours: not tuned
model = dict(image_tower=part, text_tower=part)
