"""OSDPM on RemoteCLIP ViT-L/14, frozen; source and training data of the weights as in osdpm_remoteclip_vitb32.py."""

_base_ = 'osdpm_clip_vitl14.py'

clip = dict(pretrained='weights/RemoteCLIP-ViT-L-14.pt')
model = dict(image_tower=clip, text_tower=clip)
