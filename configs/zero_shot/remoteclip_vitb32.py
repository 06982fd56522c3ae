"""RemoteCLIP ViT-B/32 (Liu et al. 2024, TGRS, arXiv 2306.11029).

The weights are published at https://huggingface.co/chendelong/RemoteCLIP. The authors' retrieval script fills models of
OpenAI's activation, QuickGELU, and prepares pixels as OpenAI did. The weights have seen training images of RSICD,
RSITMD and UCM-Captions.
"""

_base_ = 'clip_vitb32.py'

tower = dict(pretrained='weights/RemoteCLIP-ViT-B-32.pt')
model = dict(image_tower=tower, text_tower=tower)
