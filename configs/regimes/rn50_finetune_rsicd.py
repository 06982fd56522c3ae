"""RSICD on CLIP RN50: everything is trained."""

_base_ = ['../_base_/datasets/rsicd.py', '../_base_/models/osdpm_clip_rn50.py', '../_base_/regimes/finetune.py']

model = dict(
    image_tower=dict(frozen=False),  # a ModifiedResNet keeps its activations
    text_tower=dict(frozen=False, grad_checkpointing=True),
)
train_dataloader = dict(batch_size=128)  # ours: for memory
optim_wrapper = dict(optimizer=dict(lr=2.5e-4))  # ours: scaled to 128 images
auto_scale_lr = dict(base_batch_size=128)
