"""RSITMD on CLIP ViT-L/14: the last quarter of the blocks of both towers are trained."""

_base_ = ['../_base_/datasets/rsitmd.py', '../_base_/models/osdpm_clip_vitl14.py', '../_base_/regimes/partial.py']

model = dict(
    image_tower=dict(frozen=False, trainable_blocks=6),  # ours: not tuned
    text_tower=dict(frozen=False, trainable_blocks=3),
)
