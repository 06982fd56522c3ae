"""OSDPM on a frozen CLIP ViT-L/14. Its texts are cut into the same tokens as ViT-B/32's, 77 at most."""

_base_ = 'osdpm_clip.py'

embed_dims = 768
clip = dict(model='ViT-L-14-quickgelu')
model = dict(
    image_tower=clip,
    text_tower=clip,
    neck=dict(in_channels=(1024,), embed_dims=embed_dims),
    text_neck=dict(embed_dims=embed_dims),
)
