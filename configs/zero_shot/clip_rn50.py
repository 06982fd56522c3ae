"""OpenAI CLIP RN50 (Radford et al. 2021, arXiv 2103.00020), fetched by open_clip. QuickGELU is in its text half."""

_base_ = '../_base_/zero_shot.py'

embed_dims = 1024
tower = dict(model='RN50-quickgelu')
model = dict(
    image_tower=tower, text_tower=tower, neck=dict(embed_dims=embed_dims), text_neck=dict(embed_dims=embed_dims)
)
