"""RSICD at 150 px: the plain two-tower model and OSFCM on all images, by captions and by the class in a file name.

All images have captions here; of those that have none in rsicd150_30 and rsicd150_10 the class alone is known.
"""

_base_ = 'rsicd150_100_captioned.py'

model = dict(head=dict(label_weight=0.3))  # ours: RSICD at 150 px, captions of 10 %
