"""RSICD on CLIP ViT-L/14: everything is trained."""

_base_ = ['../_base_/datasets/rsicd.py', '../_base_/models/osdpm_clip_vitl14.py', '../_base_/regimes/finetune.py']

whole = dict(frozen=False, grad_checkpointing=True)
model = dict(image_tower=whole, text_tower=whole)
optim_wrapper = dict(
    paramwise_cfg=dict(
        layer_decay=0.65,  # Dong et al. 2022 (arXiv 2212.06138), ViT-L/14
        tower_lr_mult=0.1,  # ours: not tuned; 5e-5, Dong et al.'s 4e-4 for 2048 images scaled to 256
    )
)
