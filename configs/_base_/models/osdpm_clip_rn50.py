"""OSDPM on a frozen CLIP RN50, whose last two stages give DAPN maps of 14 x 14 and 7 x 7."""

_base_ = 'osdpm_clip.py'

embed_dims = 1024
clip = dict(model='RN50-quickgelu')  # QuickGELU is in its text half
model = dict(
    image_tower=dict(out_stages=(3, 4), **clip),
    text_tower=clip,
    neck=dict(in_channels=(1024, 2048), embed_dims=embed_dims),
    text_neck=dict(embed_dims=embed_dims),
)
