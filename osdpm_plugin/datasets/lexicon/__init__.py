"""Captions -> object categories: ``find(caption)`` names them in order, ``count(captions)`` is (O,) int64.

`Lexicon` holds the categories with their surface forms and the matcher. Shipped are ``remote_sensing.json`` and, with
the same categories for captions in simplified Chinese, ``remote_sensing_zh.json``; a user's own file has the same
layout. ``label_names`` maps the labels of data sets to these categories. ``tools/object_stats.py`` reports how well a
lexicon covers an annotation file.
Counts become the object priors of the OSFCM head, so only training captions are counted.
"""

from .lexicon import Lexicon

__all__ = ['Lexicon']
