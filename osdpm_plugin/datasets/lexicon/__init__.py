"""Captions -> object categories: ``find(caption)`` names them in order, ``count(captions)`` is (O,) int64.

`Lexicon` holds the categories with their surface forms and the matcher; the shipped one is ``remote_sensing.json``, and
a user's own file has the same layout. ``tools/object_stats.py`` reports how well a lexicon covers an annotation file.
Counts become the object priors of the OSFCM head, so only training captions are counted.
"""

from .lexicon import Lexicon

__all__ = ['Lexicon']
