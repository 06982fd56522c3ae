"""AMFMN, the likeness of image and caption gates the caption ("AMFMN-sim"); the rest as in amfmn_soft.py."""

_base_ = 'amfmn_soft.py'

model = dict(similarity=dict(fusion='sim'))
