"""GeoRSCLIP ViT-B/32 (Zhang et al. 2024, TGRS, arXiv 2306.11300), trained on RS5M, not on RSICD or RSITMD.

The weights are published at https://huggingface.co/Zilun/GeoRSCLIP, folder ckpt. The authors' inference script fills a
model of OpenAI's activation, QuickGELU, and prepares pixels as OpenAI did.
"""

_base_ = 'clip_vitb32.py'

tower = dict(pretrained='weights/RS5M_ViT-B-32.pt')
model = dict(image_tower=tower, text_tower=tower)
