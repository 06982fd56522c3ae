"""NeckOutput of B images and TextFeatures of M captions -> (B, M) scores, every image against every caption.

``indexable`` says whether the score is the dot product of ``embedding`` and ``pooled``, so that a search index does it;
every other similarity needs the pair. Masked words never count. A module is registered and takes no images or tokens.
"""

from .dot_product import DotProduct

__all__ = ['DotProduct']
