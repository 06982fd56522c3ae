"""uint8 images and token ids -> embeddings in one joint space, and the losses that shape it.

``preprocessors backbones necks heads losses similarities`` are the parts, ``retrievers`` joins them; ``comparison`` has
what the compared methods need beside them.
"""

from . import backbones, comparison, heads, losses, necks, preprocessors, retrievers, similarities

__all__ = ['backbones', 'comparison', 'heads', 'losses', 'necks', 'preprocessors', 'retrievers', 'similarities']
