"""OpenAI CLIP ViT-L/14 at 224 px (Radford et al. 2021, arXiv 2103.00020), fetched by open_clip."""

_base_ = '../_base_/zero_shot.py'

embed_dims = 768
tower = dict(model='ViT-L-14-quickgelu')
model = dict(
    image_tower=tower, text_tower=tower, neck=dict(embed_dims=embed_dims), text_neck=dict(embed_dims=embed_dims)
)
