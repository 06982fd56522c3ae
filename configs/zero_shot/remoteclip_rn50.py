"""RemoteCLIP RN50; source, activation and training data of the weights as in remoteclip_vitb32.py."""

_base_ = 'clip_rn50.py'

tower = dict(pretrained='weights/RemoteCLIP-RN50.pt')
model = dict(image_tower=tower, text_tower=tower)
