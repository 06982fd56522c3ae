"""RSICD on CLIP ViT-B/32: everything is trained."""

_base_ = ['../_base_/datasets/rsicd.py', '../_base_/models/osdpm_clip.py', '../_base_/regimes/finetune.py']

whole = dict(frozen=False, grad_checkpointing=True)
model = dict(image_tower=whole, text_tower=whole)
