"""OSDPM on GeoRSCLIP ViT-B/32 after RET-2 (Zhang et al. 2024, TGRS, arXiv 2306.11300), frozen.

The weights are published at https://huggingface.co/Zilun/GeoRSCLIP, folder ckpt. The authors' inference code fills a
model of OpenAI's activation, QuickGELU. RET-2 is the training images of RSICD and RSITMD, without those that resemble
test images: recall on a val split that is cut out of training images starts high and says little, and results are not
of one set alone. RS5M_ViT-B-32.pt of the same folder has been trained on neither.
"""

_base_ = 'osdpm_clip.py'

clip = dict(pretrained='weights/RS5M_ViT-B-32_RET-2.pt')
model = dict(image_tower=clip, text_tower=clip)
