"""AMFMN, image and caption together make the caption's vector ("AMFMN-fusion"); the rest as in amfmn_soft.py."""

_base_ = 'amfmn_soft.py'

model = dict(similarity=dict(fusion='fusion'))
