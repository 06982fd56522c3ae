"""GeoRSCLIP ViT-L/14; source and training data of the weights as in georsclip_vitb32.py.

The authors' inference script leaves this size out. QuickGELU, OpenAI's activation, is inferred from code that loads
the same size at 336 px with it; the weights have not been run.
"""

_base_ = 'clip_vitl14.py'

tower = dict(pretrained='weights/RS5M_ViT-L-14.pt')
model = dict(image_tower=tower, text_tower=tower)
