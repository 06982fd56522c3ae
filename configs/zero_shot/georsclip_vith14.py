"""GeoRSCLIP ViT-H/14; source and training data of the weights as in georsclip_vitb32.py.

The authors' inference script fills a model of LAION's activation, plain GELU.
"""

_base_ = '../_base_/zero_shot.py'

embed_dims = 1024
tower = dict(model='ViT-H-14', pretrained='weights/RS5M_ViT-H-14.pt')
model = dict(
    image_tower=tower, text_tower=tower, neck=dict(embed_dims=embed_dims), text_neck=dict(embed_dims=embed_dims)
)
