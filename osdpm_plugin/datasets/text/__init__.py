"""Captions -> a key of each text (``caption_text``), (M, T) int64 token ids (``tokenizers``, ``word_tokenizer``), and
those that are too long for it (``cut_captions``).
"""

from .tokenizers import HFTokenizer, OpenCLIPTokenizer
from .word_tokenizer import WordTokenizer

__all__ = ['HFTokenizer', 'OpenCLIPTokenizer', 'WordTokenizer']
