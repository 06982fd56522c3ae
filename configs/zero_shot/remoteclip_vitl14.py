"""RemoteCLIP ViT-L/14; source, activation and training data of the weights as in remoteclip_vitb32.py."""

_base_ = 'clip_vitl14.py'

tower = dict(pretrained='weights/RemoteCLIP-ViT-L-14.pt')
model = dict(image_tower=tower, text_tower=tower)
