"""OSDPM on RemoteCLIP ViT-B/32 (Liu et al. 2024, TGRS, arXiv 2306.11029), frozen.

The weights are published at https://huggingface.co/chendelong/RemoteCLIP. The authors' retrieval script fills models of
OpenAI's activation, QuickGELU. The weights have seen the training images of RSICD, RSITMD and UCM-Captions, without
those that resemble test images: recall on a val split that is cut out of training images starts high and says little,
and results are not of one set alone.
"""

_base_ = 'osdpm_clip.py'

clip = dict(pretrained='weights/RemoteCLIP-ViT-B-32.pt')
model = dict(image_tower=clip, text_tower=clip)
