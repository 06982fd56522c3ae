"""UCM-Captions: the plain two-tower model and OSFCM on all images, by captions and by the class that a file name says.

All images have captions here; of those that have none in ucm_30 and ucm_10 the class alone is known.
"""

_base_ = 'ucm_100_captioned.py'

model = dict(head=dict(label_weight=0.3))  # ours: RSICD at 150 px, captions of 10 %
