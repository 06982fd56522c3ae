"""CLIP ViT-B/32 trained on LAION-2B (Cherti et al. 2023, arXiv 2212.07143), with plain GELU, fetched by open_clip."""

_base_ = '../_base_/zero_shot.py'

tower = dict(model='ViT-B-32', pretrained='laion2b_s34b_b79k')
model = dict(image_tower=tower, text_tower=tower)
