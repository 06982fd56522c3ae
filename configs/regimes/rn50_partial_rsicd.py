"""RSICD on CLIP RN50: the last of its 4 stages and the last 3 of the 12 text blocks are trained."""

_base_ = ['../_base_/datasets/rsicd.py', '../_base_/models/osdpm_clip_rn50.py', '../_base_/regimes/partial.py']

model = dict(
    image_tower=dict(frozen=False, trainable_blocks=1),  # ours: not tuned
    text_tower=dict(frozen=False, trainable_blocks=3),
)
