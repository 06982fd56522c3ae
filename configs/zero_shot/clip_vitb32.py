"""OpenAI CLIP ViT-B/32 (Radford et al. 2021, arXiv 2103.00020), fetched by open_clip."""

_base_ = '../_base_/zero_shot.py'
