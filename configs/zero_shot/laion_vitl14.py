"""CLIP ViT-L/14 trained on LAION-2B (Cherti et al. 2023, arXiv 2212.07143), with plain GELU, fetched by open_clip.

Alone of these weights it was trained on pixels between -1 and 1.
"""

_base_ = '../_base_/zero_shot.py'

embed_dims = 768
tower = dict(model='ViT-L-14', pretrained='laion2b_s32b_b82k')
model = dict(
    data_preprocessor=dict(mean=[127.5] * 3, std=[127.5] * 3),
    image_tower=tower,
    text_tower=tower,
    neck=dict(embed_dims=embed_dims),
    text_neck=dict(embed_dims=embed_dims),
)
