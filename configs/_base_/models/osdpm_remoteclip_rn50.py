"""OSDPM on RemoteCLIP RN50, frozen; source and training data of the weights as in osdpm_remoteclip_vitb32.py."""

_base_ = 'osdpm_clip_rn50.py'

clip = dict(pretrained='weights/RemoteCLIP-RN50.pt')
model = dict(image_tower=clip, text_tower=clip)
