"""uint8 images and token ids -> embeddings in one joint space, and the losses that shape it."""

from . import backbones, heads, losses, necks, preprocessors, retrievers, similarities

__all__ = ['backbones', 'heads', 'losses', 'necks', 'preprocessors', 'retrievers', 'similarities']
