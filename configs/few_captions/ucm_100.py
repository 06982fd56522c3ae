"""UCM-Captions: the plain two-tower model and OSFCM on all images, those without captions by the class in their name.

Here all images have both.
"""

_base_ = 'ucm_100_captioned.py'

model = dict(head=dict(label_weight=0.3))  # ours: RSICD at 150 px, captions of 10 %
